import type { GatewayAddress } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { ipText } from "./ip.ts";
import type { GatewayMessage } from "./messages.ts";

/**
 * Where a waypoint or a network gateway is, as the mesh has it.
 *
 * @throws {ResourceError} where it says neither an address nor a name
 */
export function gatewayOf({ hostname, address, hbone_mtls_port }: GatewayMessage): GatewayAddress {
  if (address) {
    return {
      destination: `${address.network}/${ipText(address.address)}`,
      hboneMtlsPort: hbone_mtls_port,
    };
  }
  if (!hostname) throw new ResourceError("a gateway has neither an address nor a host name");
  return { destination: `${hostname.namespace}/${hostname.hostname}`, hboneMtlsPort: hbone_mtls_port };
}
