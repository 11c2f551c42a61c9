/** The one error that a mesh file can cause, and the places in a text. */

/** A text and the name under which people know it. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Where in a text something is. */
export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

/** What is known of a problem besides its file. */
export interface MeshFileErrorDetails extends Partial<Place> {
  /** Place in the document, such as `workloads[3].capacity`. */
  readonly path?: string;
  readonly cause?: unknown;
}

/** A mesh file that can't be used. The message is one line and complete: `file:line:column: path: what is wrong`. */
export class MeshFileError extends Error {
  override readonly name = "MeshFileError";
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;

  constructor(file: string, problem: string, details: MeshFileErrorDetails = {}) {
    const { line, column, path, cause } = details;
    const place = [file, line, column].filter((part) => part !== undefined).join(":");
    super(`${place}: ${path ? `${path}: ` : ""}${problem}`, { cause });
    this.file = file;
    this.line = line;
    this.column = column;
    this.path = path;
  }
}

/** Line and column of an offset (in UTF-16 code units, as strings are indexed). */
export function placeOf(text: string, offset: number): Place {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", lineStart)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: [...text.slice(lineStart, offset)].length + 1 };
}

/** The error for a problem at an offset of the text. */
export function problemAt(source: Source, offset: number, problem: string, path?: string): MeshFileError {
  return new MeshFileError(source.file, problem, { ...placeOf(source.text, offset), path });
}
