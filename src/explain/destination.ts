import { parseAddress } from "../mesh/mod.ts";

/** What an application connects to. */
export interface Destination {
  /** Canonical text. */
  readonly address: string;
  /** Host byte order. */
  readonly port: number;
}

/** Reads `ADDRESS:PORT`, an IPv6 address in brackets; `undefined` where it is neither. */
export function parseDestination(text: string): Destination | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const address = parseAddress(match[1] ?? match[2]);
  const port = Number(match[3]);
  // Brackets are IPv6's, also for an IPv4-mapped address.
  const bracketsFit = match[1] === undefined || match[1].includes(":");
  if (address === undefined || !bracketsFit || port < 1 || port > 65535) return undefined;
  return { address, port };
}
