/** The mesh file as a source of snapshots: the first one, and one for each change. */

import { MeshFileError, readMeshFile } from "../config/mod.ts";
import type { Controller } from "../dataplane/mod.ts";
import { emptySnapshot, type Mesh, replaceMesh, type Snapshot } from "../mesh/mod.ts";
import type { Logger } from "../observe/log.ts";

/** The mesh file as a source of snapshots. */
export interface Source {
  accept(file: { mesh: Mesh; warnings: readonly string[] }): Snapshot;
  reject(error: unknown): void;
  readonly snapshot: Snapshot;
  readonly error: string | undefined;
  readonly warnings: readonly string[];
}

/** @param file for messages */
export function createSource(file: string, log: Logger): Source {
  let snapshot = emptySnapshot();
  let error: string | undefined;
  let warnings: readonly string[] = [];
  return {
    accept: (read) => {
      const before = snapshot.services.size;
      const next = replaceMesh(snapshot, read.mesh);
      const removed = [...snapshot.services.keys()].filter((key) => !next.services.has(key)).length;
      if (before > 0 && removed * 2 > before) {
        log.warn(`the mesh file removes ${removed} of ${before} services`, {
          file,
          left: next.services.size,
        });
      }
      for (const warning of read.warnings) log.warn(warning);
      warnings = read.warnings;
      error = undefined;
      snapshot = next;
      return snapshot;
    },
    reject: (cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      error = `the mesh file is refused, the old configuration stays in force: ${reason}`;
      log.error(error);
    },
    get snapshot() {
      return snapshot;
    },
    get error() {
      return error;
    },
    get warnings() {
      return warnings;
    },
  };
}

/** Reloads the file whenever it has changed. */
export async function followFile(
  options: { readonly meshFile: string; readonly maxMeshBytes: number },
  changes: AsyncIterable<void>,
  source: Source,
  controller: Controller,
): Promise<void> {
  for await (const _ of changes) {
    try {
      controller.submit(
        source.accept(await readMeshFile(options.meshFile, { maxBytes: options.maxMeshBytes })),
      );
    } catch (error) {
      if (!(error instanceof MeshFileError)) throw error;
      source.reject(error);
    }
  }
}
