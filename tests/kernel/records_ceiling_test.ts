import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  assertHealthy,
  at,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  members,
  rate,
  type Services,
  startAgent,
  type TestNet,
} from "../kit/mod.ts";
import { assertRecordsAgree } from "./_agent_records.ts";

const vipOf = (i: number) => `10.96.0.${i + 1}`;

/** So many services of one record each. */
function meshOf(count: number): Services {
  return Object.fromEntries(
    Array.from(
      { length: count },
      (_, i) => [`s${i}`, { vips: [vipOf(i)], members: i % 2 === 0 ? members("a", "b") : members("c") }],
    ),
  );
}

/** Asserts that the first so many services are served, and the next one is not. */
async function assertServed(net: TestNet, count: number): Promise<void> {
  const targets = Array.from({ length: count }, (_, i) => at(vipOf(i), 80));
  const { answers } = flawless(await net.hammer({ kind: "tcp4", targets, count: 4 * count }));
  for (const { target, server } of answers) {
    const own = targets.indexOf(target) % 2 === 0 ? ["a", "b"] : ["c"];
    assert.ok(own.includes(server), `${target} reached ${server}`);
  }
  await using sockets = await net.sockets();
  const socket = await sockets.open("tcp4", 200);
  await assert.rejects(socket.connect(at(vipOf(count), 80)), { code: "EINPROGRESS" });
}

describeKernel("a ceiling for map records", () => {
  it("what needs more is refused with a word on how to raise it, what served goes on, less heals it", async () => {
    await using net = await createTestNet();
    // Slot 0 is the placeholder's: 15 records.
    const args = ["--records", "4", "--max-records", "16"];
    await using agent = await startAgent(net, { services: meshOf(5), args });
    const nearlyFull = async () =>
      (await agent.status()).warnings.filter((warning) => /records is nearly full/.test(warning));
    await using stream = await net.startHammer({
      kind: "tcp4",
      targets: [0, 1, 2, 3, 4].map((i) => at(vipOf(i), 80)),
      perSecond: rate(500),
    });

    await agent.reload(meshOf(12));
    assert.equal((await assertRecordsAgree(agent)).slots.size, 16);
    assert.deepEqual(await nearlyFull(), []);
    await agent.reload(meshOf(15));
    assert.match((await nearlyFull()).join(), /15 of 16 slots.*--max-records/);
    await assertServed(net, 15);

    const { flushes } = await agent.status();
    await agent.writeMesh(meshOf(17));
    const line = await agent.logged(({ level, msg }) => level === "error" && /--max-records/.test(msg));
    assert.match(line.msg, /the kernel serves what it served before.*needs 18 slots, and may have 16/);
    // It is tried again, and refused again.
    const refusals = () => agent.log.filter(({ msg }) => /raise --max-records/.test(msg)).length;
    await eventually("it is tried again", () => refusals() >= 2);
    const status = await agent.status();
    assert.deepEqual([status.ready, status.flushes], [true, flushes]);
    assert.match(status.errors.join(), /map records needs 18 slots, and may have 16: raise --max-records/);
    const shown = await agent.weft("status");
    assert.match(shown.stdout, /raise --max-records/);
    await assertServed(net, 15);
    assert.equal((await assertRecordsAgree(agent)).slots.used, 15);

    await agent.reload(meshOf(6));
    assert.deepEqual((await agent.status()).errors, []);
    await eventually("the warning ends", async () => (await nearlyFull()).length === 0);
    await assertServed(net, 6);
    await assertRecordsAgree(agent);
    flawless(await stream.stop());
    agent.log.splice(0); // the refusals were expected
    await assertHealthy(agent);
  });

  it("below it, map records is left for a larger one while there is room still: for spares", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, { services: meshOf(5), args: ["--records", "32"] });
    assert.equal((await assertRecordsAgree(agent)).slots.size, 32);
    await using stream = await net.startHammer({
      kind: "tcp4",
      targets: [0, 1, 2, 3, 4].map((i) => at(vipOf(i), 80)),
      perSecond: rate(1000),
    });
    await agent.reload(meshOf(20));
    const { slots, classes } = await assertRecordsAgree(agent);
    assert.deepEqual([slots.used, slots.size], [20, 64]);
    for (const { used, allocated } of classes) assert.ok(used / allocated < 0.7);
    assert.ok(agent.log.some(({ msg, records }) => /outgrew the maps/.test(msg) && records === 64));
    // What finds a spare there is served from it.
    const { counts } = await assertRecordsAgree(agent);
    await agent.reload(meshOf(21));
    assert.equal((await assertRecordsAgree(agent)).counts.fromSpares, counts.fromSpares + 1);
    flawless(await stream.stop());
    await assertServed(net, 21);
    await assertHealthy(agent);
  });

  it("is there at the start as well: nothing is attached, and the exit code is 1", async () => {
    await using net = await createTestNet();
    const args = ["--records", "4", "--max-records", "4"];
    await using agent = await startAgent(net, { services: meshOf(5), args, expectFailure: true });
    assert.equal((await agent.ended()).code, 1);
    const said = agent.log.map(({ msg }) => msg).join("\n");
    assert.match(said, /map records needs 6 slots, and may have 4: raise --max-records/);
    assert.doesNotMatch(said, /\bat .*\.ts:\d+/); // no stack trace
    await using sockets = await net.sockets();
    const socket = await sockets.open("tcp4", 200);
    await assert.rejects(socket.connect(at(vipOf(0), 80)), { code: "EINPROGRESS" });
  });

  it("one that is lower than what is pinned keeps what is there, and refuses only what needs more", async () => {
    await using net = await createTestNet();
    await using first = await startAgent(net, {
      services: meshOf(12),
      args: ["--records", "4"],
      name: "same",
    });
    const { slots: { size } } = await assertRecordsAgree(first);
    await first.end("SIGKILL");
    await using second = await startAgent(net, {
      services: meshOf(12),
      args: ["--records", "4", "--max-records", "8"],
      name: "same",
    });
    assert.equal((await assertRecordsAgree(second)).slots.size, size);
    await assertServed(net, 12);
    await second.reload(meshOf(3));
    await assertServed(net, 3);
    await second.writeMesh(meshOf(size + 2));
    await second.logged(({ msg }) => /raise --max-records/.test(msg));
    await assertServed(net, 3);
  });
});
