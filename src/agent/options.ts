import type { FirstSizes, SocketSizes } from "../dataplane/mod.ts";
import type { NodeOptions } from "../locality/mod.ts";
import type { FileSourceOptions } from "./file_source.ts";
import type { XdsSourceOptions } from "./xds_source.ts";
import type { OutlierSettings } from "../outlier_detection/mod.ts";
import type { Watermarks } from "../records/mod.ts";

/** What an agent is told at its start. */
export interface AgentOptions {
  readonly version: string;
  /** Where it learns the mesh. */
  readonly source: FileSourceOptions | XdsSourceOptions;
  /** The cgroup's directory. */
  readonly cgroup: string;
  readonly pinRoot: string;
  /** @default below /run/weft, named after the pin root */
  readonly socket: string | undefined;
  readonly node: NodeOptions;
  readonly sizes: FirstSizes;
  readonly socketSizes: SocketSizes;
  /** The most slots that map records may grow to. */
  readonly maxRecords: number;
  /** When endpoints are set aside because connects to them fail; `undefined`: never. */
  readonly outliers: OutlierSettings | undefined;
  /** When the record pool grows and shrinks. */
  readonly watermarks: Watermarks;
  /** How records are published (ArrayOfMaps.publish); `undefined`: as this kernel does it best. */
  readonly publishThreads: number | undefined;
  /** How often map records is compared with what the agent knows of it, in milliseconds; 0: never. */
  readonly auditEveryMs: number;
}
