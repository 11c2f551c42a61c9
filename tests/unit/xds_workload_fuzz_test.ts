import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createWorkloadProtocol, type Protocol } from "../../src/xds/mod.ts";
import { deltaRequestType, deltaResponseType, EnvelopeError } from "../../src/xds/proto/mod.ts";
import { readRecordings, streamsDirectory } from "../kit/streams.ts";
import { fuzzRounds, mutate } from "./_mutate.ts";
import { randomFrom } from "./_random.ts";
import { resourcesOf } from "./_xds_replay.ts";

const responses = fuzzRounds(20_000);

/** A good response with something wrong inside of a resource or two: so that mutations reach what is inside. */
function mutateInside(random: () => number, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  const response = deltaResponseType.decode(bytes);
  const resources = response.resources.filter(() => random() < 0.3).map((one) =>
    random() < 0.7 || one.resource === null ? one : {
      ...one,
      resource: { ...one.resource, value: mutate(random, one.resource.value, others) },
    }
  );
  return deltaResponseType.encode({ ...response, resources });
}

/** What is held and what the mesh has are the same resources, and all can be shown. */
async function assertWhole(protocol: Protocol): Promise<void> {
  const { mesh } = protocol;
  const shown = await resourcesOf(protocol);
  for (const name of ["workloads", "services", "policies"] as const) {
    assert.deepEqual(Object.keys(shown[name] as object).sort(), [...mesh[name].keys()].sort());
  }
  const held = protocol.types.reduce((sum, { resources }) => sum + resources, 0);
  assert.equal(held, mesh.workloads.size + mesh.services.size + mesh.policies.size);
}

describe("xds workload: fuzz", () => {
  const directory = streamsDirectory("mutated responses of recorded streams of mode workload");
  if (directory === undefined) return;

  it(`${responses} mutated responses: each is acknowledged or refused, and the state stays whole`, async () => {
    const random = randomFrom(7);
    const scenarios = ["w1-basics", "w2-locality", "w3-external", "w4-policy", "w5-network-waypoint"];
    const all = scenarios.flatMap((scenario) =>
      readRecordings(directory, scenario).flatMap(({ steps }) => steps).flatMap(({ events }) =>
        events.flatMap((event) => event.kind === "in" ? [event.bytes] : [])
      )
    );
    const protocol = createWorkloadProtocol({ id: "x" });
    await protocol.open(new Date(0));
    const counts = { acks: 0, nacks: 0, unanswered: 0, garbage: 0 };
    for (let i = 0; i < responses; i++) {
      const good = all[Math.floor(random() * all.length)];
      const bytes = random() < 0.3 ? mutate(random, good, all) : mutateInside(random, good, all);
      const before = protocol.mesh;
      const refusedBefore = new Set(protocol.rejections);
      try {
        const answers = await protocol.receive(bytes, new Date(i));
        if (answers.length === 0) {
          counts.unanswered++;
          assert.equal(protocol.mesh, before, "a response that nobody asked for changed something");
          continue;
        }
        assert.equal(answers.length, 1);
        const { error_detail, type_url, response_nonce, node } = deltaRequestType.decode(answers[0]);
        assert.ok(type_url !== "" && node === null);
        const news = protocol.rejections.filter((rejection) => !refusedBefore.has(rejection));
        if (error_detail === null) {
          counts.acks++;
          assert.deepEqual(news, []);
        } else {
          counts.nacks++;
          assert.ok(response_nonce !== "" || news.length > 0);
          for (const { name, reason } of news.slice(0, 20)) {
            assert.ok(error_detail.message.includes(name) && error_detail.message.includes(reason));
          }
        }
      } catch (error) {
        if (!(error instanceof EnvelopeError)) throw error;
        counts.garbage++;
        assert.equal(protocol.mesh, before, "garbage changed something");
        await protocol.open(new Date(i));
      }
      if (i % 500 === 0) await assertWhole(protocol);
    }
    await assertWhole(protocol);
    for (const [what, count] of Object.entries(counts)) {
      assert.ok(count > responses / 500, `${what}: ${count} of ${responses}`);
    }

    // An agent that comes back with nothing, and one that went through all that: the same after a whole response.
    const [{ steps }] = readRecordings(directory, "w3-external");
    const whole = steps.flatMap(({ events }) =>
      events.flatMap((event) => event.kind === "in" ? [event.bytes] : [])
    );
    const fresh = createWorkloadProtocol({ id: "x" });
    for (const one of [protocol, fresh]) {
      await one.open(new Date(0));
      for (const bytes of whole) await one.receive(bytes, new Date(0));
    }
    for (const [key, workload] of fresh.mesh.workloads.entries()) {
      assert.deepEqual(protocol.mesh.workloads.get(key), workload);
    }
    for (const [key, service] of fresh.mesh.services.entries()) {
      assert.deepEqual(protocol.mesh.services.get(key), service);
    }
    await assertWhole(protocol);
  });
});
