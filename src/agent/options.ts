import type { MeshSizes, SocketSizes } from "../dataplane/mod.ts";

/** What an agent is told at its start. */
export interface AgentOptions {
  readonly version: string;
  readonly meshFile: string;
  /** The most that the mesh file may have, in bytes. */
  readonly maxMeshBytes: number;
  /** The cgroup's directory. */
  readonly cgroup: string;
  readonly pinRoot: string;
  /** @default below /run/weft, named after the pin root */
  readonly socket: string | undefined;
  readonly network: string;
  readonly sizes: MeshSizes;
  readonly socketSizes: SocketSizes;
}
