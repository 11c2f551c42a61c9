import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createWorkloadProtocol } from "../../src/xds/mod.ts";
import { deltaRequestType, deltaResponseType, type Resource } from "../../src/xds/proto/mod.ts";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { replay } from "./_xds_replay.ts";

/** On demand is not what weft does; the largest one is replayed over gRPC. */
const leftOut = (client: string) => client === "ondemand";

/** A response of which not one resource can be read. */
function spoilt(bytes: Uint8Array): Uint8Array {
  const response = deltaResponseType.decode(bytes);
  const resources = response.resources.map((resource: Resource) => ({
    ...resource,
    resource: { type_url: response.type_url, value: Uint8Array.of(0xff) },
  }));
  return deltaResponseType.encode({ ...response, resources, removed_resources: [] });
}

describe("xds: recorded streams of mode workload", () => {
  const directory = streamsDirectory("recorded streams of mode workload");
  if (directory === undefined) return;
  for (const scenario of scenariosIn(directory, /^w(?!7-size-5000)/)) {
    it(`${scenario}: after every step what the control plane wants is there`, async () => {
      let responses = 0;
      for (const recording of readRecordings(directory, scenario)) {
        if (leftOut(recording.client)) continue;
        let rejected = false;
        await replay(recording, {
          create: () =>
            createWorkloadProtocol({ id: "ztunnel~10.0.0.1~z.istio-system~istio-system.svc.cluster.local" }),
          inject: (response, answer) => {
            rejected = answer !== undefined && deltaRequestType.decode(answer).error_detail !== null;
            return rejected ? spoilt(response) : response;
          },
          onAnswers: (answers, response) => {
            responses++;
            const { nonce, type_url } = deltaResponseType.decode(response);
            assert.equal(answers.length, 1);
            const answer = deltaRequestType.decode(answers[0]);
            assert.equal(answer.response_nonce, nonce);
            assert.equal(answer.type_url, type_url);
            assert.equal(answer.error_detail !== null, rejected, `${answer.error_detail?.message}`);
            assert.equal(answer.node, null);
          },
        });
      }
      assert.ok(responses > 0);
    });
  }
});
