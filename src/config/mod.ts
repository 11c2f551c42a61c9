/** The mesh file: read it, and notice when it changes. */

export { type MeshFile, parseMesh, readMeshFile, type ReadMeshFileOptions } from "./mesh_file.ts";
export { MeshFileError } from "./mesh_file_error.ts";
export { watchFile, type WatchOptions } from "./watch.ts";
