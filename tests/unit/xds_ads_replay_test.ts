import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createAdsProtocol } from "../../src/xds/mod.ts";
import { discoveryRequestType, discoveryResponseType } from "../../src/xds/proto/mod.ts";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { replay } from "./_xds_replay.ts";

/** The fields of state of the world that `weft resources` shows as the recorder did; the recorder shows more. */
const chainFields = [
  "match",
  "tcpCluster",
  "tcpWeightedClusters",
  "tcpHashPolicy",
  "routeName",
  "inlineRoute",
];
const fields: Readonly<Record<string, readonly string[]>> = {
  clusters: ["name", "type", "lbPolicy", "maxConnections", "edsServiceName", "loadAssignment"],
  listeners: [
    "name",
    "address",
    "additionalAddresses",
    "useOriginalDst",
    "filterChains",
    "defaultFilterChain",
  ],
  filterChains: chainFields,
  defaultFilterChain: chainFields,
  inlineRoute: ["name", "virtualHosts"],
  routes: ["name", "virtualHosts"],
  virtualHosts: ["name", "domains", "catchAll"],
};

/** Those fields of a part of the state. */
export function comparable(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => fields[key]?.includes(name) ?? true)
      .map(([name, part]) => [name, comparable(part, name)]),
  );
}

/** A response with one resource more that makes no sense: all of it is to be refused. */
function spoilt(bytes: Uint8Array): Uint8Array {
  const response = discoveryResponseType.decode(bytes);
  const broken = { type_url: response.type_url, value: Uint8Array.of(0xff) };
  return discoveryResponseType.encode({ ...response, resources: [...response.resources, broken] });
}

describe("xds: recorded streams of mode ads", () => {
  const directory = streamsDirectory("recorded streams of mode ads");
  if (directory === undefined) return;
  for (const scenario of scenariosIn(directory, /^s/)) {
    it(`${scenario}: after every step what the control plane wants is there`, async () => {
      let responses = 0;
      for (const recording of readRecordings(directory, scenario)) {
        let rejected = false;
        await replay(recording, {
          create: () => createAdsProtocol({ id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local" }, ""),
          comparable,
          inject: (response, answer) => {
            rejected = answer !== undefined && discoveryRequestType.decode(answer).error_detail !== null;
            return rejected ? spoilt(response) : response;
          },
          onAnswers: (answers, response) => {
            responses++;
            const { nonce, type_url, version_info } = discoveryResponseType.decode(response);
            const answer = discoveryRequestType.decode(answers[0]);
            assert.equal(answer.response_nonce, nonce);
            assert.equal(answer.type_url, type_url);
            assert.equal(answer.error_detail !== null, rejected, `${answer.error_detail?.message}`);
            assert.equal(answer.version_info === version_info, !rejected);
            assert.ok(answers.every((one) => discoveryRequestType.decode(one).node === null));
          },
        });
      }
      assert.ok(responses > 0);
    });
  }
});
