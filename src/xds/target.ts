/** Where a control plane is, as people write it. */

import { isIP } from "node:net";

export type Target =
  | {
    readonly kind: "tcp";
    /** A name or an address, IPv6 without brackets. */
    readonly host: string;
    readonly port: number;
    /** 0 for a name. */
    readonly family: 0 | 4 | 6;
    /** On this host for sure: 127.0.0.0/8, ::1 or localhost. */
    readonly loopback: boolean;
  }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Reads `ADDRESS`, `ADDRESS:PORT`, `[IPv6]:PORT` or `unix:PATH`.
 *
 * @param defaultPort where none is written
 * @returns `undefined` where it is none of them
 */
export function parseTarget(text: string, defaultPort: number): Target | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    return path === "" ? undefined : { kind: "unix", path };
  }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? (isIP(text) === 6 ? text : undefined);
  if (host === undefined || (bracketed !== undefined && isIP(host) !== 6)) return undefined;
  const family = isIP(host) as 0 | 4 | 6;
  if (family === 0 && !/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/.test(host)) return undefined;
  // What looks like an address and is none would be looked up as a name.
  if (family === 0 && /^[\d.]+$/.test(host)) return undefined;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65535) return undefined;
  return { kind: "tcp", host, port, family, loopback: isLoopback(host, family) };
}

function isLoopback(host: string, family: 0 | 4 | 6): boolean {
  if (family === 4) return host.startsWith("127.");
  if (family === 6) return /^(0*:)*:?0*1$/.test(host);
  return host === "localhost" || host === "localhost.";
}

/** A target as people write it. */
export function formatTarget(target: Target): string {
  if (target.kind === "unix") return `unix:${target.path}`;
  return target.family === 6 ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
}
