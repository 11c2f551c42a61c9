/** The mesh file as a source: the first configuration, and one for each change. */

import { MeshFileError, readMeshFile, watchFile } from "../config/mod.ts";
import { emptySnapshot, type Mesh, replaceMesh, type Snapshot } from "../mesh/mod.ts";
import type { Logger } from "../observe/log.ts";
import type { Source } from "./source.ts";

export interface FileSourceOptions {
  readonly kind: "file";
  readonly path: string;
  /** The most that the file may have, in bytes. */
  readonly maxBytes: number;
}

/**
 * Reads the file for the first time.
 *
 * @param signal ends the watching of the file, which begins now: no change falls between first reading and following
 * @throws {MeshFileError} where there is nothing to begin with
 */
export async function openFileSource(
  options: FileSourceOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<Source> {
  const { path, maxBytes } = options;
  const changes = watchFile(path, { signal });
  const first = await readMeshFile(path, { maxBytes });
  let snapshot = emptySnapshot();
  let error: string | undefined;
  let warnings: readonly string[] = [];

  function accept(read: { readonly mesh: Mesh; readonly warnings: readonly string[] }): Snapshot {
    const before = snapshot.services.size;
    const next = replaceMesh(snapshot, read.mesh);
    const removed = [...snapshot.services.keys()].filter((key) => !next.services.has(key)).length;
    if (before > 0 && removed * 2 > before) {
      log.warn(`the mesh file removes ${removed} of ${before} services`, {
        file: path,
        left: next.services.size,
      });
    }
    for (const warning of read.warnings) log.warn(warning);
    warnings = read.warnings;
    error = undefined;
    snapshot = next;
    return snapshot;
  }

  function reject(cause: MeshFileError): void {
    error = `the mesh file is refused, the old configuration stays in force: ${cause.message}`;
    log.error(error);
  }

  return {
    name: path,
    mayWait: false,
    follow: async (submit) => {
      submit(accept(first));
      for await (const _ of changes) {
        try {
          submit(accept(await readMeshFile(path, { maxBytes })));
        } catch (error) {
          if (!(error instanceof MeshFileError)) throw error;
          reject(error);
        }
      }
    },
    get errors() {
      return error === undefined ? [] : [error];
    },
    get warnings() {
      return warnings;
    },
    controlPlane: undefined,
    resources: () => undefined,
  };
}
