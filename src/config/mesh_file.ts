/** Reads mesh files. */

import type { Mesh } from "../mesh/mod.ts";
import { MeshFileError } from "./mesh_file_error.ts";
import { meshOf } from "./mesh_model.ts";
import { schemaError } from "./mesh_problems.ts";
import { meshSchema, ownTags } from "./mesh_schema.ts";
import { refuseTwins } from "./mesh_twins.ts";
import { warningsOf } from "./mesh_warnings.ts";
import { parseYaml, YamlMap } from "./yaml_tree.ts";

/** What a mesh file says. */
export interface MeshFile {
  readonly mesh: Mesh;
  /** One line each, with its place in the file: what is allowed but deserves a word, or is not obeyed yet. */
  readonly warnings: readonly string[];
}

export interface ReadMeshFileOptions {
  /**
   * Size in bytes above which a file is refused, unread.
   *
   * @default {67108864} 64 MiB
   */
  readonly maxBytes?: number;
}

/**
 * Reads a mesh file. Its format is in `mesh_schema.ts`.
 *
 * @param path also the file's name in errors and warnings
 * @throws {MeshFileError} where the file can't be read or used
 */
export async function readMeshFile(path: string, options: ReadMeshFileOptions = {}): Promise<MeshFile> {
  const bytes = await readBytes(path, options.maxBytes ?? 64 * 1024 * 1024);
  if (bytes.length === 0) {
    // A half-written file is often empty for a moment; taking it for the empty mesh would remove everything.
    throw new MeshFileError(path, "the file is empty; an empty mesh is written as {}");
  }
  return parseMesh(decode(path, bytes), path);
}

/**
 * Understands the text of a mesh file.
 *
 * @param file its name in errors and warnings
 * @throws {MeshFileError} where it can't be used
 */
export function parseMesh(text: string, file: string): MeshFile {
  const tree = parseYaml({ file, text }, { tags: ownTags });
  const result = meshSchema.safeParse(tree.root === undefined ? new YamlMap() : tree.root);
  if (!result.success) throw schemaError(tree, result.error.issues);
  const mesh = meshOf(result.data);
  refuseTwins(tree, mesh);
  return { mesh, warnings: warningsOf(tree, mesh) };
}

async function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const { isFile, isDirectory, size } = await Deno.stat(path);
    if (isDirectory) throw new MeshFileError(path, "expected a mesh file, found a directory");
    if (!isFile) throw new MeshFileError(path, "expected a mesh file, found a device, a pipe or a socket");
    if (size > maxBytes) throw tooLarge(path, size, maxBytes);
    const bytes = await Deno.readFile(path);
    // It may have grown since.
    if (bytes.length > maxBytes) throw tooLarge(path, bytes.length, maxBytes);
    return bytes;
  } catch (error) {
    if (error instanceof MeshFileError) throw error;
    throw new MeshFileError(path, readProblem(error), { cause: error });
  }
}

function tooLarge(path: string, size: number, maxBytes: number): MeshFileError {
  const problem =
    `the file has ${size} bytes, more than the ${maxBytes} allowed; raise --max-mesh-bytes to read it`;
  return new MeshFileError(path, problem);
}

function readProblem(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "permission denied; the agent's user must be able to read it";
  }
  if (error instanceof Deno.errors.FilesystemLoop) return "too many symbolic links";
  return `can't be read: ${error instanceof Error ? error.message : String(error)}`;
}

function decode(path: string, bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  if (zero !== -1) {
    throw new MeshFileError(path, "not text: it contains a zero byte", { line: lineAt(bytes, zero) });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MeshFileError(path, "not UTF-8 text", { line: firstInvalidLine(bytes), cause });
  }
}

/** The line, from 1, of an offset in bytes. */
function lineAt(bytes: Uint8Array, offset: number): number {
  let line = 1;
  for (let at = bytes.indexOf(0x0a); at !== -1 && at < offset; at = bytes.indexOf(0x0a, at + 1)) line++;
  return line;
}

/** The first line that is not UTF-8. No character contains the byte of a line's end, so each can be looked at alone. */
function firstInvalidLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let start = 0;
  for (let line = 1;; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    if (newline === -1) return line;
    start = newline + 1;
  }
}
