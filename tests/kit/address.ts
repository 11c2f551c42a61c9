/** `address:port` or `[address]:port`: how tests, and the peer program, write where something is. */
export type AddressPort = string;

/** Puts address and port together. */
export function at(address: string, port: number): AddressPort {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Takes address and port apart. */
export function split(target: AddressPort): { readonly address: string; readonly port: string } {
  const match = /^(?:\[(.+)\]|([^[\]:]+)):(\d+)$/.exec(target);
  if (!match) throw new RangeError(`not address:port: ${target}`);
  return { address: match[1] ?? match[2], port: match[3] };
}

/** `address/port`, which shells leave alone: how the peer program takes it. */
export function slashed(target: AddressPort): string {
  const { address, port } = split(target);
  return `${address}/${port}`;
}

/** An IPv4 target as an IPv4-mapped IPv6 one. */
export function mapped(target: AddressPort): AddressPort {
  const { address, port } = split(target);
  return `[::ffff:${address}]:${port}`;
}

/** An IPv4-mapped target as the IPv4 one; any other as it is. */
export function unmapped(target: AddressPort): AddressPort {
  return target.replace(/^\[::ffff:([\d.]+)\]/, "$1");
}
