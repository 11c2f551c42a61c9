import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  assertHealthy,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  patience,
  rate,
  repetitions,
  startAgent,
} from "../kit/mod.ts";
import { sleep } from "../../src/host/mod.ts";
import { assertRecordsAgree, kernelRecords, openAgentRecords } from "./_agent_records.ts";
import { assertOwn, assertTeam, membership, meshOf, targetOf, teamServers } from "./_changing_mesh.ts";

/** Always there, with other endpoints in each round. */
const lasting = 20;
const few = 40;
const many = 300;

/** Each round differs for all services, and has few and many of them in turn. */
function round(number: number) {
  return membership(
    Array.from(
      { length: number % 2 === 0 ? few : many },
      (_, service) => ({ first: number + service, length: 1 + (number + service) % 4 }),
    ),
  );
}

/** How many slots of the pinned outer map hold an inner map of their own. */
function countAllocated(kernel: ReturnType<typeof openAgentRecords>): number {
  const ids = kernel.maps.records.entries().map(([, id]) => id);
  const placeholder = kernel.maps.records.lookup(0);
  return ids.filter((id) => id !== placeholder).length;
}

describeKernel("an agent that is killed while its record pool grows and shrinks in the background", () => {
  it("leaves what the next one finds in the kernel alone, with no connection failed or led astray", async () => {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await createTestNet({ servers: teamServers }));
    // Few threads, one wait for each slot: growing and shrinking take long enough to be met in the middle.
    const args = ["--records", "1024", "--publish-threads", "8"];
    const start = async (number: number) =>
      stack.use(await startAgent(net, { services: meshOf(round(number)), name: "same", args }));
    let agent = await start(0);
    const targets = Array.from({ length: lasting }, (_, service) => targetOf(service));
    const stream = stack.use(await net.startHammer({ kind: "tcp4", targets, perSecond: rate(500) }));
    const random = (below: number) => Math.floor(Math.random() * below);
    let midway = 0;
    const enough = repetitions(8, 4);
    // Where the middle is missed so far, it is tried some more.
    for (let number = 1; number <= enough || midway === 0 && number <= 3 * enough; number++) {
      await assertRecordsAgree(agent);
      using kernel = openAgentRecords(agent);
      const flushed = () => agent.log.filter(({ msg }) => msg === "flushed").length;
      const before = flushed();
      await agent.writeMesh(meshOf(round(number)));
      await eventually("it is flushed", () => flushed() > before, 20_000);
      // What the flush replaced is freed, then classes shrink or grow: slots come and go by tens.
      if (number % 4 < 2) {
        const allocated = countAllocated(kernel);
        const changes = 1 + random(40);
        const end = performance.now() + 2000;
        while (Math.abs(countAllocated(kernel) - allocated) < changes && performance.now() < end);
      } else {
        // Before 6.8 slots are read more slowly than they change: so the middle is met by chance.
        await sleep(random(patience(400)));
      }
      await agent.end("SIGKILL");
      const killed = kernelRecords(agent).slots;

      agent = await start(number);
      const { slots } = await assertRecordsAgree(agent);
      assert.equal(slots.used, round(number).length);
      if (killed.allocated !== slots.allocated) midway++;
      const all = round(number).map((_, service) => targetOf(service));
      const result = await net.hammer({ kind: "tcp4", targets: all, count: 2 * all.length });
      assertOwn(flawless(result), round(number));
      await assertHealthy(agent);
    }
    assert.ok(midway > 0, "no agent was killed in the middle");
    assertTeam(flawless(await stream.stop()));
  });
});
