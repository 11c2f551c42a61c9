import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  assertHealthy,
  createTestNet,
  describeKernel,
  flawless,
  patience,
  rate,
  startAgent,
} from "../kit/mod.ts";
import { assertRecordsAgree } from "./_agent_records.ts";
import { assertOwn, assertTeam, membership, meshOf, targetOf, teamServers } from "./_changing_mesh.ts";

const services = 40;
const perSecond = rate(1000);
const seconds = 10;

/** Lengths up and down through the size classes, each service in a phase of its own; endpoints change with every step. */
function step(number: number) {
  return membership(Array.from({ length: services }, (_, service) => {
    const phase = (number + 3 * service) % 18;
    return { first: number * 7 + service, length: 1 + (phase < 10 ? phase : 18 - phase) };
  }));
}

describeKernel("records that grow, shrink and move under traffic", () => {
  it(`${perSecond} connections a second: none fails, none reaches what a reported flush had removed`, async () => {
    await using net = await createTestNet({ servers: teamServers });
    // With a step of one spares are freed as soon as there are too many, and have to be made again. Audits must not mind.
    const args = ["--records-step", "1", "--audit-every", "100ms"];
    await using agent = await startAgent(net, { services: meshOf(step(0)), args });
    const targets = Array.from({ length: services }, (_, service) => targetOf(service));
    await using stream = await net.startHammer({ kind: "tcp4", targets, perSecond });
    const end = performance.now() + seconds * 1000;
    let number = 0;
    let endpoints = 0;
    // Some of it in any case, however slow the machine.
    while (performance.now() < end || number < 6) {
      number++;
      await agent.reload(meshOf(step(number)));
      const after = flawless(await net.hammer({ kind: "tcp4", targets, count: 3 * services }));
      assertOwn(after, step(number));
      endpoints += after.answers.length;
    }
    const result = flawless(await stream.stop());
    assertTeam(result);
    const wanted = perSecond * result.elapsedMs / 1000;
    assert.ok(
      result.attempts >= 0.9 * wanted,
      `only ${result.attempts} of ${wanted.toFixed(0)} connections were made`,
    );
    assert.ok(result.longestGapMs < patience(500), `nobody was answered for ${result.longestGapMs} ms`);
    assert.ok(endpoints > number * services);

    const { counts, slots } = await assertRecordsAgree(agent);
    assert.equal(slots.used, services);
    // They really moved, and places came and went.
    assert.ok(counts.fromSpares >= 2 * number, `${counts.fromSpares} moves in ${number} steps`);
    assert.ok(
      Math.min(counts.grown, counts.shrunk) > number,
      `${counts.grown} grown, ${counts.shrunk} shrunk`,
    );
    assert.equal(counts.repaired, 0);
    assert.deepEqual(agent.log.filter(({ level }) => level === "warn"), []);
    await assertHealthy(agent);
  });
});
