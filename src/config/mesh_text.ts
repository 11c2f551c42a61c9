/** The texts with a syntax of their own that a mesh file has. */

import {
  addressToBytes,
  bytesToAddress,
  familyOf,
  type NetworkAddress,
  type NetworkRange,
  parseAddress,
} from "../mesh/mod.ts";

/** Splits at the first slash; `undefined` where there is none. */
function splitOnce(text: string): [before: string, after: string] | undefined {
  const slash = text.indexOf("/");
  return slash === -1 ? undefined : [text.slice(0, slash), text.slice(slash + 1)];
}

/** Reads `network/ip`. The network may be empty, which is the default one. */
export function readNetworkAddress(text: string): NetworkAddress | undefined {
  const parts = splitOnce(text);
  const address = parts && parseAddress(parts[1]);
  return parts && address !== undefined ? { network: parts[0], address } : undefined;
}

/** Reads `network/ip` or `namespace/hostname`, which is kept as it is written. */
export function readGatewayDestination(text: string): string | undefined {
  return text.includes("/") ? text : undefined;
}

/**
 * Reads `address/length`. Bits past the length are cleared; a range of IPv4-mapped addresses is the IPv4 range.
 */
export function readPrefix(text: string): Omit<NetworkRange, "network"> | undefined {
  const parts = splitOnce(text);
  const address = parts && parseAddress(parts[0]);
  if (!parts || address === undefined || !/^(0|[1-9]\d{0,2})$/.test(parts[1])) return undefined;
  const shortest = parts[0].includes(":") ? 0 : 96; // IPv4 has its place at the end of the 16 bytes
  const length = Number(parts[1]) + shortest;
  if (length > 128) return undefined;
  const bytes = addressToBytes(address);
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, length - 8 * i));
    bytes[i] &= 0xff << (8 - kept);
  }
  const first = bytesToAddress(bytes);
  return { address: first, prefixLength: familyOf(first) === 4 ? length - 96 : length };
}
