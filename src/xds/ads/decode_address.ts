/** Addresses of listeners and endpoints. */

import { parseAddress } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import type { AddressMessage, CidrRangeMessage } from "./messages.ts";
import type { HostPort } from "./model.ts";

/** An address, and for one behind an internal listener that listener's name. */
export interface DecodedAddress extends HostPort {
  readonly via: string;
  readonly protocol: "TCP" | "UDP";
}

/**
 * @param what stands in messages, such as `address`
 * @throws {ResourceError} where it is none of the kinds that weft knows, or not valid
 */
export function decodeAddress(message: AddressMessage | null, what: string): DecodedAddress {
  const { socket_address: socket, pipe, envoy_internal_address: internal } = message ?? {};
  if (socket) {
    if (socket.address === "") throw new ResourceError(`${what} has no address`);
    if (socket.port_value > 65535) {
      throw new ResourceError(`${what} has port ${socket.port_value}, above 65535`);
    }
    return {
      host: socket.address,
      port: socket.port_value,
      via: "",
      protocol: socket.protocol === 1 ? "UDP" : "TCP",
    };
  }
  if (internal) {
    if (internal.server_listener_name === "") throw new ResourceError(`${what} names no internal listener`);
    return { ...splitHostPort(internal.endpoint_id), via: internal.server_listener_name, protocol: "TCP" };
  }
  if (pipe) return { host: pipe.path, port: 0, via: "", protocol: "TCP" };
  throw new ResourceError(`${what} is no address that weft knows`);
}

/** `host:port`, an IPv6 address in brackets. What is not of this form is a host without port. */
export function splitHostPort(text: string): HostPort {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  return parts === null || port > 65535 ? { host: text, port: 0 } : { host: parts[1] ?? parts[2], port };
}

/** `host:port`, what holds a colon in brackets; "" where there is no address. */
export function formatHostPort({ host, port }: HostPort): string {
  if (host.startsWith("/") || host.startsWith("@")) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @throws {ResourceError} where it is no range of addresses */
export function decodeRange({ address_prefix, prefix_len }: CidrRangeMessage): string {
  const address = parseAddress(address_prefix);
  const length = prefix_len?.value ?? 0;
  const bits = address_prefix.includes(":") ? 128 : 32;
  if (address === undefined || length > bits) {
    throw new ResourceError(`${address_prefix}/${length} is no range of addresses`);
  }
  return `${address_prefix}/${length}`;
}
