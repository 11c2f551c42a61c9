/** How to reach a control plane, as flags of `weft run`. */

import { z } from "zod";
import type { XdsSourceOptions } from "../agent/xds_source.ts";
import type { NodeOptions } from "../locality/mod.ts";
import { formatTarget, parseTarget, type Target } from "../xds/target.ts";
import type { Metadata } from "../xds/node.ts";
import type { TlsOptions } from "../xds/credentials.ts";
import type { FlagValues } from "./command.ts";
import { UsageError } from "./user_error.ts";
import { version } from "./version.ts";

const file = <const Name extends string>(name: Name, env: string, help: string) =>
  ({ kind: "string", name, valueName: "FILE", env, help }) as const;

export const xdsFlags = [
  {
    kind: "string",
    name: "xds",
    valueName: "ADDRESS",
    env: "WEFT_XDS",
    help: "the control plane, instead of --mesh: HOST[:PORT] (15012; with --plaintext 15010) or unix:PATH",
  },
  {
    kind: "choice",
    name: "mode",
    valueName: "MODE",
    env: "WEFT_MODE",
    choices: ["workload", "ads"],
    help:
      "with --xds: workloads and services (a node agent's way, the default), or clusters and listeners (a sidecar's)",
  },
  {
    kind: "boolean",
    name: "plaintext",
    env: "WEFT_PLAINTEXT",
    help: "with --xds: no TLS; only to this host, unless insisted on",
  },
  {
    kind: "boolean",
    name: "insist-plaintext",
    help: "with --plaintext: to other hosts too, for all to read and to forge",
  },
  file(
    "xds-ca",
    "WEFT_XDS_CA",
    "the authorities (PEM) that the control plane's certificate is checked against",
  ),
  file(
    "xds-cert",
    "WEFT_XDS_CERT",
    "weft's own certificate chain (PEM); read anew for each stream, as all these files",
  ),
  file("xds-key", "WEFT_XDS_KEY", "the key (PEM) of --xds-cert"),
  file("xds-token", "WEFT_XDS_TOKEN", "a bearer token to send along"),
  {
    kind: "string",
    name: "xds-server-name",
    valueName: "NAME",
    env: "WEFT_XDS_SERVER_NAME",
    help: "the name to ask for and to expect in the certificate; the host of --xds where left out",
  },
  {
    kind: "duration",
    name: "xds-keepalive",
    valueName: "TIME",
    default: "20s",
    help: "how often a silent control plane is asked whether it is there; istiod allows no less than 15s",
  },
  {
    kind: "string",
    name: "node-id",
    valueName: "ID",
    env: "WEFT_NODE_ID",
    help:
      "who weft says it is, such as ztunnel~10.0.0.1~NAME.NAMESPACE~NAMESPACE.svc.cluster.local; made of POD_NAME, " +
      "POD_NAMESPACE and INSTANCE_IP, else of what the host says, where left out",
  },
  {
    kind: "string",
    name: "node-metadata",
    valueName: "JSON",
    env: "WEFT_NODE_METADATA",
    help: 'more metadata of the node, such as \'{"LABELS": {"app": "weft"}}\'',
  },
] as const;

type XdsFlags = FlagValues<typeof xdsFlags>;

/** What belongs to the host and its environment. */
export interface XdsHost {
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly env: (name: string) => string | undefined;
}

/** Flags that mean nothing without --xds. */
const needXds = [
  ...["mode", "plaintext", "insist-plaintext", "xds-ca", "xds-cert", "xds-key", "xds-token"],
  ...["xds-server-name", "node-id", "node-metadata"],
] as const;

/** @throws {UsageError} where a flag is given that needs --xds */
export function refuseXdsFlags(flags: XdsFlags): void {
  const given = needXds.find((name) => flags[name] !== undefined && flags[name] !== false);
  if (given !== undefined) {
    throw new UsageError(`--${given} means nothing without --xds`, "leave it out, or give --xds");
  }
}

/**
 * What the flags say.
 *
 * @param node where the node is
 * @throws {UsageError}
 */
export function xdsOptions(
  flags: XdsFlags & { readonly xds: string },
  node: NodeOptions,
  host: XdsHost,
): XdsSourceOptions {
  const { mode = "workload" } = flags;
  const target = parseTarget(flags.xds, flags.plaintext ? 15010 : 15012);
  if (target === undefined) {
    throw new UsageError(
      `--xds ${flags.xds} is no address`,
      "HOST, HOST:PORT, [IPv6]:PORT or unix:PATH, such as istiod.istio-system.svc:15012",
    );
  }
  return {
    kind: "xds",
    mode,
    transport: {
      target,
      tls: tlsOptions(flags, target),
      tokenFile: flags["xds-token"],
      keepaliveMs: flags["xds-keepalive"],
    },
    identity: {
      ...identity(mode, flags["node-id"], node, host),
      metadata: { ...defaultMetadata(node, host), ...readMetadata(flags["node-metadata"]) },
      version,
    },
    network: node.network,
  };
}

/** @returns `undefined` for plaintext */
function tlsOptions(flags: XdsFlags, target: Target): TlsOptions | undefined {
  const { "xds-ca": caFile, "xds-cert": certFile, "xds-key": keyFile, "xds-server-name": serverName } = flags;
  const onlyTls = (["xds-ca", "xds-cert", "xds-key", "xds-server-name"] as const).find((name) =>
    flags[name] !== undefined
  );
  if (flags.plaintext && onlyTls !== undefined) {
    throw new UsageError(`--plaintext and --${onlyTls} exclude each other`, "leave one of them out");
  }
  if (flags["insist-plaintext"] && !flags.plaintext) {
    throw new UsageError("--insist-plaintext means nothing without --plaintext", "give both, or none");
  }
  if (flags.plaintext && target.kind === "tcp" && !target.loopback && !flags["insist-plaintext"]) {
    throw new UsageError(
      `--plaintext to ${
        formatTarget(target)
      }, another host: whoever is on the way may read and forge what the mesh is`,
      "use TLS (--xds-ca FILE), or insist with --insist-plaintext",
    );
  }
  // A UNIX socket is as safe as its permissions: TLS only where it is asked for.
  if (flags.plaintext || (target.kind === "unix" && onlyTls === undefined)) return undefined;
  if (caFile === undefined) {
    throw new UsageError(
      `who may ${formatTarget(target)} be? TLS needs the authorities to check its certificate against`,
      "name their file with --xds-ca (or, on this host, --plaintext)",
    );
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UsageError("--xds-cert and --xds-key need each other", "give both, or none");
  }
  return { caFile, certFile, keyFile, serverName };
}

const kinds = { workload: "ztunnel", ads: "sidecar" } as const;

function identity(
  mode: keyof typeof kinds,
  id: string | undefined,
  { region, zone, subzone }: NodeOptions,
  host: XdsHost,
): Pick<XdsSourceOptions["identity"], "id" | "locality"> {
  const { name, namespace, address } = pod(host);
  const known = region !== undefined || zone !== undefined || subzone !== undefined;
  return {
    id: id ?? `${kinds[mode]}~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    locality: known ? { region: region ?? "", zone: zone ?? "", subzone: subzone ?? "" } : undefined,
  };
}

/** As a node agent's pod is told in its environment. */
function pod({ hostname, addresses, env }: XdsHost): { name: string; namespace: string; address: string } {
  return {
    name: env("POD_NAME") ?? hostname,
    namespace: env("POD_NAMESPACE") ?? "istio-system",
    address: env("INSTANCE_IP") ?? addresses[0] ?? "127.0.0.1",
  };
}

/** istio's version is left out: a control plane then takes weft to be as new as it is itself. */
function defaultMetadata(node: NodeOptions, host: XdsHost): Metadata {
  const { name, namespace, address } = pod(host);
  return {
    NAME: name,
    NAMESPACE: namespace,
    INSTANCE_IPS: address,
    NODE_NAME: node.node,
    CLUSTER_ID: node.clusterId,
    ...node.network === "" ? {} : { NETWORK: node.network },
  };
}

const metadataSchema: z.ZodType<Metadata> = z.lazy(() =>
  z.record(z.string(), z.union([z.string(), z.boolean(), metadataSchema]))
);

function readMetadata(text: string | undefined): Metadata {
  if (text === undefined) return {};
  const remedy = `an object of texts, booleans and such objects, such as '{"LABELS": {"app": "weft"}}'`;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--node-metadata is no JSON: ${(error as Error).message}`, remedy, { cause: error });
  }
  const parsed = metadataSchema.safeParse(json);
  if (!parsed.success) throw new UsageError("--node-metadata has something else in it than texts", remedy);
  return parsed.data;
}
