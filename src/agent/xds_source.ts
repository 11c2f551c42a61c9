/** A control plane as a source: what it says is handed over from the moment that it has said something of every type. */

import { lookUpHost } from "../host/mod.ts";
import type { Snapshot } from "../mesh/mod.ts";
import type { ControlPlaneStatus } from "../observe/api.ts";
import type { Logger } from "../observe/log.ts";
import {
  type Client,
  createAdsProtocol,
  createWorkloadProtocol,
  formatTarget,
  type NodeIdentity,
  nodeMessage,
  openStream,
  type Protocol,
  type Rejection,
  resourcesText,
  runClient,
  type TransportOptions,
} from "../xds/mod.ts";
import type { Source } from "./source.ts";

export interface XdsSourceOptions {
  readonly kind: "xds";
  readonly mode: "workload" | "ads";
  readonly transport: TransportOptions;
  readonly identity: NodeIdentity;
  /** The node's network. */
  readonly network: string;
}

/** So long a type may be awaited before that is worth a word, in milliseconds. */
const patienceMs = 15_000;

/** Refused resources that are told one by one. */
const maxTold = 20;

/** Refused resources that are in the status; `weft resources` has all. */
const maxInStatus = 1000;

export function createXdsSource(options: XdsSourceOptions, log: Logger): Source {
  const { mode, transport } = options;
  const name = formatTarget(transport.target);
  const node = nodeMessage(options.identity);
  const protocol = mode === "workload"
    ? createWorkloadProtocol(node)
    : createAdsProtocol(node, options.network, lookUpHost);
  let client: Client | undefined;

  return {
    name: `${name} (mode ${mode}${transport.tls ? "" : ", plaintext"})`,
    mayWait: true,
    follow: async (submit, signal, dial, slices) => {
      const events = logEvents(name, protocol, log);
      let submitted: Snapshot | undefined;
      client = runClient({
        protocol,
        slices,
        connect: (method, signal) => openStream({ ...transport, dial }, method, signal),
        onChange: () => {
          events.changed();
          if (!protocol.complete || protocol.mesh === submitted) return;
          if (submitted === undefined) log.info("the control plane has said something of every type");
          submitted = protocol.mesh;
          submit(submitted);
        },
        onConnected: events.connected,
        onDisconnected: events.disconnected,
      }, signal);
      await client.done;
    },
    get errors() {
      const { connected = false, error } = client?.state ?? {};
      if (connected || error === undefined) return [];
      const held = protocol.complete ? "; what it said last stays in force" : "";
      return [`no stream to the control plane ${name}: ${error}${held}`];
    },
    get warnings() {
      return [...missing(client, protocol, name), ...protocol.notes];
    },
    get controlPlane() {
      return client && statusOf(name, mode, client, protocol);
    },
    resources: (only, slices) => {
      const { collections, rejections } = protocol;
      const known = collections.map(({ name }) => name);
      if (only !== undefined && !known.includes(only)) return known;
      const extras = { connected: client?.state.connected ?? false, ...protocol.extras };
      return resourcesText({ collections, rejections, extras }, only, slices);
    },
  };
}

/** What the log says of the stream and of what comes on it. */
function logEvents(name: string, protocol: Protocol, log: Logger) {
  let said: string | undefined;
  let told: ReadonlySet<string> = new Set();
  return {
    connected: () => {
      said = undefined;
      log.info("connected to the control plane", { address: name });
    },
    // Attempts follow each other fast at first: what has been said is not said again.
    disconnected: (error: string, retryInMs: number) => {
      const fields = { address: name, reason: error, retryInMs: Math.round(retryInMs) };
      if (error === said) log.debug("still no stream to the control plane", fields);
      else log.warn("no stream to the control plane", fields);
      said = error;
    },
    changed: () => {
      const { rejections } = protocol;
      if (rejections.length === 0 && told.size === 0) return;
      const now = new Set(rejections.map(keyOf));
      const news = rejections.filter((rejection) => !told.has(keyOf(rejection)));
      for (const line of refusals(news)) log.warn(line);
      told = now;
    },
  };
}

function keyOf({ typeUrl, name, version, reason }: Rejection): string {
  return [typeUrl, name, version, reason].join("\0");
}

function refusals(rejections: readonly Rejection[]): string[] {
  const lines = rejections.slice(0, maxTold).map(({ typeUrl, name, reason }) =>
    `refused ${shortType(typeUrl)} ${name || "without a name"}: ${reason}`
  );
  if (rejections.length > maxTold) {
    lines.push(`and ${rejections.length - maxTold} more resources were refused`);
  }
  return lines;
}

/** Types that the control plane keeps silent about. */
function missing(client: Client | undefined, protocol: Protocol, name: string): string[] {
  if (client === undefined || protocol.complete || !client.state.connected) return [];
  if (Date.now() - client.state.since.getTime() < patienceMs) return [];
  return protocol.types.filter(({ lastReceived }) => lastReceived === undefined).map(({ typeUrl }) =>
    `the control plane ${name} has said nothing of ${shortType(typeUrl)} yet: ` +
    "until it does, the kernel is left as it is"
  );
}

function statusOf(name: string, mode: XdsSourceOptions["mode"], client: Client, protocol: Protocol) {
  const { connected, since, streams, error } = client.state;
  const { rejections } = protocol;
  const status: ControlPlaneStatus = {
    address: name,
    mode,
    connected,
    since: since.toISOString(),
    streams,
    error: error ?? null,
    complete: protocol.complete,
    types: protocol.types.map(({ typeUrl, lastReceived, took, ...counts }) => ({
      type: shortType(typeUrl),
      ...counts,
      rejected: rejections.filter((rejection) => rejection.typeUrl === typeUrl).length,
      lastReceived: lastReceived?.toISOString() ?? null,
      ...took,
    })),
    rejected: rejections.slice(0, maxInStatus).map(({ typeUrl, at, ...rejection }) => ({
      type: shortType(typeUrl),
      ...rejection,
      at: at.toISOString(),
    })),
  };
  return status;
}

/** `type.googleapis.com/istio.workload.Address` → `Address` */
function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
}
