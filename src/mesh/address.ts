/** IP addresses as text and as the 16 bytes that the kernel contract uses. */

import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** 4 or 6: which protocol an address belongs to. An IPv4-mapped IPv6 address is IPv4. */
export type Family = 4 | 6;

const colon = 0x3a;

/** The 12 bytes before an IPv4 address in its 16-byte form (RFC 4291, 2.5.5.2). */
const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;

/**
 * Reads an address strictly: no leading zeros, no octal, no zone, no prefix length.
 *
 * @returns the canonical text (RFC 5952; an IPv4-mapped address as IPv4), or `undefined` where `text` is no address.
 */
export function parseAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/** The family of a canonical address. */
export function familyOf(address: string): Family {
  // An IPv6 address has its first colon behind at most four digits. Not includes(): this is asked for every endpoint, several times.
  for (let i = 0; i < 5; i++) if (address.charCodeAt(i) === colon) return 6;
  return 4;
}

/** A canonical address as 16 bytes in network order, IPv4 as IPv4-mapped. */
export function addressToBytes(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (familyOf(address) === 6) {
    bytes.set(ipaddr.IPv6.parse(address).toByteArray());
    return bytes;
  }
  bytes.set(mappedPrefix);
  let value = 0;
  let at = 12;
  for (let i = 0; i <= address.length; i++) {
    const code = address.charCodeAt(i);
    if (code >= 48 && code <= 57) value = value * 10 + code - 48;
    else {
      bytes[at++] = value;
      value = 0;
    }
  }
  return bytes;
}

/** The canonical text of 16 bytes in network order. */
export function bytesToAddress(bytes: Uint8Array): string {
  if (mappedPrefix.every((byte, i) => bytes[i] === byte)) {
    return `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
  }
  return new ipaddr.IPv6([...bytes]).toRFC5952String();
}

/** `address:port`, IPv6 in brackets. */
export function formatAddressPort(address: string, port: number): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
