/** What a connection is secured with, read from files each time one is opened: files may change at any time. */

import { Buffer } from "node:buffer";
import { checkServerIdentity } from "node:tls";
import { type ChannelCredentials, credentials, Metadata } from "@grpc/grpc-js";
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
 * A server that is told no name shows its default certificate. A name must be given, for TLS has no addresses there, and one that
 * nobody has is as good as none.
 */
const noName = "address.invalid";

/** What grpc-js needs for one connection. */
export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  /** The name to ask for and to expect. */
  readonly serverName: string;
}

/** @throws {CredentialsError} */
export function channelSecurity(target: Target, tls: TlsOptions | undefined): ChannelSecurity {
  if (tls === undefined) return { credentials: credentials.createInsecure(), serverName: noName };
  const ca = readFile("the CA", tls.caFile);
  const key = tls.keyFile === undefined ? null : readFile("the client's key", tls.keyFile);
  const cert = tls.certFile === undefined ? null : readFile("the client's certificate", tls.certFile);
  if (tls.serverName !== undefined || target.kind === "unix" || target.family === 0) {
    const host = target.kind === "unix" ? "localhost" : target.host;
    return { credentials: credentials.createSsl(ca, key, cert), serverName: tls.serverName ?? host };
  }
  // An address as target: its certificate has to name that address.
  const { host } = target;
  return {
    credentials: credentials.createSsl(ca, key, cert, {
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate as never),
    }),
    serverName: noName,
  };
}

/**
 * What goes with each stream.
 *
 * @param tokenFile holds a bearer token; white space around it does not count
 * @throws {CredentialsError}
 */
export function streamMetadata(tokenFile: string | undefined): Metadata {
  const metadata = new Metadata();
  if (tokenFile !== undefined) {
    metadata.set("authorization", `Bearer ${readFile("the token", tokenFile).toString().trim()}`);
  }
  return metadata;
}

function readFile(what: string, file: string): Buffer {
  try {
    return Buffer.from(Deno.readFileSync(file));
  } catch (error) {
    throw new CredentialsError(what, file, error);
  }
}
