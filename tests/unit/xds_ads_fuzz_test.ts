import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createAdsProtocol } from "../../src/xds/mod.ts";
import { discoveryRequestType, discoveryResponseType, EnvelopeError } from "../../src/xds/proto/mod.ts";
import { readRecordings, streamsDirectory } from "../kit/streams.ts";
import { fuzzRounds, mutate } from "./_mutate.ts";
import { randomFrom } from "./_random.ts";
import { resourcesOf } from "./_xds_replay.ts";

const responses = fuzzRounds(3000);

/** Some resources of a response, in what is else a good one: so that mutations reach what is inside. */
function shorten(random: () => number, bytes: Uint8Array): Uint8Array {
  const response = discoveryResponseType.decode(bytes);
  const resources = response.resources.filter(() => random() < 0.2);
  return discoveryResponseType.encode({ ...response, resources });
}

describe("xds ads: fuzz", () => {
  const directory = streamsDirectory("mutated responses of recorded streams of mode ads");
  if (directory === undefined) return;

  it(`${responses} mutated responses: each is acknowledged or refused, and the state stays whole`, async () => {
    const random = randomFrom(6);
    const recorded = ["s1-basics", "s2-traffic", "s3-external", "s6-dualstack", "s8-sidecar-ambient"].flatMap(
      (scenario) =>
        readRecordings(directory, scenario).flatMap(({ steps }) => steps.map(({ events }) => events)),
    );
    const all = recorded.flat().flatMap((event) => event.kind === "in" ? [event.bytes] : []);
    const protocol = createAdsProtocol({ id: "x" }, "");
    let now = 0;
    await protocol.open(new Date(now));
    const counts = { acks: 0, nacks: 0, unanswered: 0, garbage: 0 };
    for (let i = 0; i < responses; i++) {
      now += 100;
      const good = all[Math.floor(random() * all.length)];
      const bytes = random() < 0.1 ? good : mutate(random, shorten(random, good), all);
      const before = protocol.mesh;
      try {
        const [answer] = await protocol.receive(bytes, new Date(now));
        if (answer === undefined) {
          counts.unanswered++;
          continue;
        }
        const { error_detail, type_url, node } = discoveryRequestType.decode(answer);
        assert.ok(type_url !== "" && node === null);
        if (error_detail === null) counts.acks++;
        else {
          counts.nacks++;
          assert.notEqual(error_detail.message, "");
          assert.equal(protocol.mesh, before, "a refused response changed something");
        }
      } catch (error) {
        if (!(error instanceof EnvelopeError)) throw error;
        counts.garbage++;
        assert.equal(protocol.mesh, before, "garbage changed something");
        await protocol.open(new Date(now));
      }
      protocol.expire(new Date(now));
      if (i % 500 === 0) {
        await resourcesOf(protocol);
        assert.ok(protocol.notes.length < 200 && protocol.rejections.length < 200);
      }
    }
    for (const [what, count] of Object.entries(counts)) {
      assert.ok(count > responses / 500, `${what}: ${count} of ${responses}`);
    }

    // What comes whole afterwards heals everything.
    const [{ steps }] = readRecordings(directory, "s2-traffic");
    const fresh = createAdsProtocol({ id: "x" }, "");
    for (const one of [protocol, fresh]) {
      await one.open(new Date(now));
      for (const event of steps[0].events) {
        if (event.kind === "in") await one.receive(event.bytes, new Date(now));
      }
    }
    assert.deepEqual([...protocol.mesh.services.entries()].sort(), [...fresh.mesh.services.entries()].sort());
    assert.deepEqual(protocol.rejections, []);
  });
});
