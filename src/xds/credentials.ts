/** What a connection is secured with, read from files each time one is opened: files may change at any time. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { checkServerIdentity, connect } from "node:tls";
import { settled } from "./dial.ts";
import type { Target } from "./target.ts";

/** Files in PEM format, and names. */
export interface TlsOptions {
  /** The authorities that the server's certificate is checked against. */
  readonly caFile: string;
  /** The client's certificate chain and key; both or none. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The name to ask the server for (SNI) and to expect in its certificate. @default the target's host */
  readonly serverName?: string;
}

/** A file that is needed for a connection cannot be read. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";

  constructor(what: string, file: string, cause: unknown) {
    super(`cannot read ${what} ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/**
 * Reads what TLS needs.
 *
 * @returns does the handshake on a connection, which it destroys where that fails
 * @throws {CredentialsError}
 */
export function secure(
  target: Target,
  tls: TlsOptions,
): (socket: Socket, signal: AbortSignal) => Promise<Socket> {
  const ca = readFile("the CA", tls.caFile);
  const key = tls.keyFile === undefined ? undefined : readFile("the client's key", tls.keyFile);
  const cert = tls.certFile === undefined ? undefined : readFile("the client's certificate", tls.certFile);
  const host = target.kind === "unix" ? "localhost" : target.host;
  const byAddress = tls.serverName === undefined && target.kind === "tcp" && target.family !== 0;
  return async (socket, signal) => {
    const secured = connect({
      ...{ socket, ca, key, cert, ALPNProtocols: ["h2"] },
      servername: byAddress ? noName : tls.serverName ?? host,
      // An address as target: the certificate has to name that address.
      ...byAddress
        ? { checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) }
        : {},
    });
    return await settled(secured, "secureConnect", signal);
  };
}

/**
 * A server that is told no name shows its default certificate. A name must be given, for TLS has no addresses there, and one that
 * nobody has is as good as none.
 */
const noName = "address.invalid";

/**
 * What goes with each stream.
 *
 * @param tokenFile holds a bearer token; white space around it does not count
 * @throws {CredentialsError}
 */
export function requestHeaders(tokenFile: string | undefined): Record<string, string> {
  if (tokenFile === undefined) return {};
  return { authorization: `Bearer ${readFile("the token", tokenFile).toString().trim()}` };
}

function readFile(what: string, file: string): Buffer {
  try {
    return Buffer.from(Deno.readFileSync(file));
  } catch (error) {
    throw new CredentialsError(what, file, error);
  }
}
