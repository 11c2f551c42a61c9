import type { PortMap } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import type { PortMessage } from "./messages.ts";

const maxPort = 65535;

/**
 * The port map of a list of ports; of two with one service port the last counts.
 *
 * @throws {ResourceError} for what is no port
 */
export function portMapOf(ports: readonly PortMessage[]): PortMap {
  const map = new Map<number, number>();
  for (const { service_port, target_port } of ports) {
    if (service_port > maxPort || target_port > maxPort) {
      throw new ResourceError(`port ${service_port}→${target_port} is out of range: expected 0..${maxPort}`);
    }
    map.set(service_port, target_port);
  }
  return map;
}
