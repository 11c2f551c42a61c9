/** Addresses as the workload API has them: 4 or 16 bytes. */

import { bytesToAddress } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";

/**
 * The canonical text of 4 or 16 bytes in network order; an IPv4-mapped address is the IPv4 address.
 *
 * @throws {ResourceError} for any other number of bytes
 */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length === 16) return bytesToAddress(bytes);
  throw new ResourceError(`an address has ${bytes.length} bytes, expected 4 or 16`);
}

/**
 * A range's first address: the bits beyond the prefix cleared.
 *
 * @param length in bits
 * @returns as `ipText`, and the length that belongs to it, which differs for an IPv4-mapped range
 * @throws {ResourceError} where the length does not fit the address
 */
export function rangeOf(bytes: Uint8Array, length: number): { address: string; prefixLength: number } {
  const text = ipText(bytes);
  if (length > bytes.length * 8) {
    throw new ResourceError(`a range of ${text} has length ${length}, expected at most ${bytes.length * 8}`);
  }
  const first = bytes.map((byte, i) => byte & (0xff00 >> Math.min(Math.max(length - i * 8, 0), 8)));
  const address = ipText(first);
  const mapped = bytes.length === 16 && !address.includes(":");
  return { address, prefixLength: mapped ? length - 96 : length };
}
