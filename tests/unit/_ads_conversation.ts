/** A control plane's side of a stream of mode ads, without any transport. */

import assert from "node:assert/strict";
import { createAdsProtocol } from "../../src/xds/mod.ts";
import {
  type Any,
  type DiscoveryRequest,
  discoveryRequestType,
  discoveryResponseType,
} from "../../src/xds/proto/mod.ts";
import type { Protocol } from "../../src/xds/protocol.ts";
import { assignment, cluster, http, listener, routes, type ShortType, tcp, urls } from "./_ads_messages.ts";

/** A request as tests compare it: without what is empty. */
export type ShortRequest = {
  readonly type: ShortType;
  readonly version?: string;
  readonly nonce?: string;
  readonly names?: readonly string[];
  readonly node?: true;
  readonly error?: string;
};

export interface Conversation {
  readonly protocol: Protocol;
  /** Opens a stream. @returns the requests */
  open(): Promise<ShortRequest[]>;
  /** Sends a response. @returns the answers */
  send(type: ShortType, version: string, ...resources: readonly Any[]): Promise<ShortRequest[]>;
  /** Lets time pass. @returns requests that follow from it */
  pass(seconds: number): ShortRequest[];
  /** What is served: `address:port` → tiers, as text. */
  readonly served: Readonly<Record<string, string>>;
}

/**
 * A stream with a control plane that sends what a test tells it to; nonces are `<type>-<n>`, counted over all types.
 *
 * @param lookUp gives the addresses of host names. Without it they stay names
 */
export function converse(lookUp?: (host: string) => Promise<readonly string[]>): Conversation {
  const protocol = createAdsProtocol({ id: "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local" }, "", lookUp);
  let now = 1_000_000;
  let responses = 0;
  const shorten = (requests: readonly Uint8Array[]) =>
    requests.map((bytes) => shortRequest(discoveryRequestType.decode(bytes)));
  return {
    protocol,
    open: async () => shorten(await protocol.open(new Date(now))),
    send: async (type, version_info, ...resources) => {
      const nonce = `${type}-${++responses}`;
      const response = { version_info, nonce, type_url: urls[type], resources };
      return shorten(await protocol.receive(discoveryResponseType.encode(response), new Date(now)));
    },
    pass: (seconds) => {
      now += seconds * 1000;
      return shorten(protocol.expire(new Date(now)));
    },
    get served() {
      const served: Record<string, string> = {};
      for (const { vips, ranges, assigned } of protocol.mesh.services.values()) {
        const addresses = [
          ...vips.map(({ address }) => address),
          ...ranges.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
        ];
        for (const address of addresses) {
          for (const [port, { tiers }] of assigned!) {
            const text = (tier: typeof tiers[number]) =>
              tier.map((one) => `${one.address}:${one.port}${one.weight === 1 ? "" : `×${one.weight}`}`).join(
                " ",
              );
            served[`${address}:${port}`] = tiers.map(text).join(" | ");
          }
        }
      }
      return served;
    },
  };
}

function shortRequest(request: DiscoveryRequest): ShortRequest {
  const type = (Object.keys(urls) as ShortType[]).find((one) => urls[one] === request.type_url);
  assert.ok(type, request.type_url);
  return {
    type,
    ...request.version_info !== "" && { version: request.version_info },
    ...request.response_nonce !== "" && { nonce: request.response_nonce },
    ...request.resource_names.length > 0 && { names: [...request.resource_names].sort() },
    ...request.node !== null && { node: true },
    ...request.error_detail !== null && { error: request.error_detail.message },
  };
}

/** A stream on which everything has come: web on 10.96.0.1:80, served by 10.0.0.1. */
export async function settled(): Promise<Conversation> {
  const talk = converse();
  await talk.open();
  await talk.send("cds", "1", cluster("web"));
  await talk.send("eds", "1", assignment("web", "10.0.0.1:8080"));
  await talk.send("lds", "1", listener("web", "10.96.0.1:80", [tcp("web")]), wildcard());
  await talk.send("rds", "1", routes("81", { "10.96.0.2": "web" }));
  assert.deepEqual(talk.served, { "10.96.0.1:80": "10.0.0.1:8080", "10.96.0.2:81": "10.0.0.1:8080" });
  return talk;
}

/** A listener for HTTP on port 81, by routes of this name. */
export function wildcard(name = "81"): Any {
  return listener(`0.0.0.0_${name}`, "0.0.0.0:81", [http(name)]);
}
