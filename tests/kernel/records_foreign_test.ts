import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { closeFd, createMap, type MapSpec, openShim, pin } from "../../ffi/mod.ts";
import { pinPaths } from "../../src/dataplane/mod.ts";
import {
  at,
  createTestNet,
  describeKernel,
  eventually,
  flawless,
  type HammerResult,
  members,
  rate,
  repetitions,
  type Services,
  startAgent,
  type TestAgent,
  type TestNet,
} from "../kit/mod.ts";
import { assertRecordsAgree, openAgentRecords } from "./_agent_records.ts";

/** Two members each, so that one service's endpoints are nobody else's. */
const services: Services = {
  // Its record and endpoints are the first to be made: what names the lowest of all would name these.
  bystander: { vips: ["10.96.0.1"], members: members("a") },
  deleted: { vips: ["10.96.0.2"], members: members("b", "c") },
  zeros: { vips: ["10.96.0.3"], members: members("b", "c") },
  short: { vips: ["10.96.0.4"], members: members("b", "c") },
  emptied: { vips: ["10.96.0.5"], members: members("b", "c") },
};
const harmed = ["10.96.0.2", "10.96.0.3", "10.96.0.4", "10.96.0.5"];
/** Their records are put in each other's places: what their callers reach meanwhile cannot be right. */
const twins: Services = {
  twin: { vips: ["10.96.1.1"], members: members("b") },
  other: { vips: ["10.96.1.2"], members: members("c") },
};

/** Changes map records in every way that somebody could, but for the twins. */
async function harm(agent: TestAgent): Promise<void> {
  using kernel = openAgentRecords(agent);
  const [deleted, zeros, short, emptied] = harmed.map(kernel.slotOf);
  await kernel.putZeros(2, zeros);
  await kernel.putZeros(1, short);
  await kernel.copy(0, emptied);
  kernel.remove(deleted);
}

/** Also what only bookkeeping would notice: slots that are nobody's, the placeholder, a record in two slots. */
async function confuse(agent: TestAgent): Promise<void> {
  using kernel = openAgentRecords(agent);
  const size = kernel.maps.sizes.records;
  await kernel.putZeros(4, size - 1, size - 2);
  await kernel.copy(kernel.slotOf("10.96.1.1"), kernel.slotOf("10.96.1.2"));
  kernel.remove(0);
}

function assertRightOrRefused({ answers, errors }: HammerResult): void {
  for (const { target, server } of answers) {
    assert.ok(
      harmed.some((vip) => at(vip, 80) === target) && ["b", "c"].includes(server),
      `${target} reached ${server}`,
    );
  }
  assert.deepEqual(Object.keys(errors).filter((error) => error !== "connect EHOSTUNREACH"), []);
}

/** Asserts that every service is served as its mesh file says. */
async function assertServed(net: TestNet): Promise<void> {
  const expected: [string, string[]][] = [
    ["10.96.0.1", ["a"]],
    ...harmed.map((vip) => [vip, ["b", "c"]] as [string, string[]]),
    ["10.96.1.1", ["b"]],
    ["10.96.1.2", ["c"]],
  ];
  for (const [vip, servers] of expected) {
    const result = flawless(await net.hammer({ kind: "tcp4", targets: [at(vip, 80)], count: 60 }));
    assert.deepEqual(Object.keys(result.servers).toSorted(), servers, vip);
  }
}

describeKernel("somebody else changes map records", () => {
  const all = { ...services, ...twins };
  const targets = harmed.map((vip) => at(vip, 80));

  it("callers are refused or right until the audit has put it right, which is logged", async () => {
    await using net = await createTestNet();
    await using agent = await startAgent(net, { services: all, args: ["--audit-every", "300ms"] });
    await using bystander = await net.startHammer({
      kind: "tcp4",
      targets: [at("10.96.0.1", 80)],
      perSecond: rate(500),
    });
    for (let round = 1; round <= 3; round++) {
      await using stream = await net.startHammer({ kind: "tcp4", targets, perSecond: rate(1000) });
      const repairs = () =>
        agent.log.filter(({ msg }) => /records are gone from the kernel/.test(msg)).length;
      const before = repairs();
      await harm(agent);
      if (round > 1) await confuse(agent);
      await eventually("the audit has noticed", () => repairs() > before, 10_000);
      await eventually("all is flushed anew", async () => {
        const result = await net.hammer({ kind: "tcp4", targets, count: 40 });
        return Object.keys(result.errors).length === 0;
      }, 10_000);
      assertRightOrRefused(await stream.stop());
      await eventually("all is in order", () => {
        using kernel = openAgentRecords(agent);
        return kernel.maps.records.lookup(kernel.maps.sizes.records - 1) === undefined ||
          kernel.maps.records.lookup(kernel.maps.sizes.records - 1) === kernel.maps.records.lookup(0);
      }, 10_000);
      await assertServed(net);
    }
    assert.deepEqual(Object.keys(flawless(await bystander.stop()).servers), ["a"]);
    assert.ok(agent.log.some(({ msg }) => /put right: slot \d+ of map records held an inner map/.test(msg)));
    assert.ok(agent.log.some(({ msg }) => /put right: slot 0 .*placeholder/.test(msg)));
    await assertRecordsAgree(agent);
    const { errors, ready } = await agent.status();
    assert.deepEqual({ errors, ready }, { errors: [], ready: true });
  });

  it("without an audit callers are refused or right as well, and the next start puts all right", async () => {
    await using net = await createTestNet();
    const options = { services: all, name: "same", args: ["--audit-every", "0"] };
    await using first = await startAgent(net, options);
    await harm(first);
    const count = repetitions(400, 80);
    const result = await net.hammer({ kind: "tcp4", targets, count });
    assertRightOrRefused(result);
    assert.deepEqual(result.errors, { "connect EHOSTUNREACH": count });
    assert.equal((await first.status()).counters.broken, count);
    await confuse(first);
    await first.end("SIGKILL");
    await using second = await startAgent(net, { ...options, args: ["--audit-every", "300ms"] });
    await assertServed(net);
    // What the first audit finds comes sooner or later: slots that are nobody's.
    const said = second.log.filter(({ msg }) =>
      /somebody changed the maps, put right: (?!slot \d+ of map records held)/.test(msg)
    );
    // Each one harmed, both twins, the placeholder.
    assert.equal(said.length, harmed.length + 3, JSON.stringify(said));
    await assertRecordsAgree(second);
    await second.reload({ ...all, more: { vips: ["10.96.2.1"], members: members("d") } });
    await assertServed(net);
    flawless(await net.hammer({ kind: "tcp4", targets: [at("10.96.2.1", 80)], count: 20 }));
  });
});

describeKernel("a pinned map records that is not the agent's", () => {
  const array = { type: 2, keySize: 4, valueSize: 4, maxEntries: 16 };
  const arrayOfMaps = { ...array, type: 12 };
  const shapes: [string, Omit<MapSpec, "name">, inner?: Omit<MapSpec, "name">][] = [
    ["a hash", { ...array, type: 1 }],
    ["an array", array],
    ["an array of other maps", arrayOfMaps, array],
    ["an array of maps of one length", arrayOfMaps, { ...array, valueSize: 8 }],
  ];
  for (const [what, shape, inner] of shapes) {
    it(`${what}: the start is refused with the path and a remedy, and what was served goes on`, async () => {
      await using net = await createTestNet();
      await using first = await startAgent(net, { services, name: "same" });
      await first.end("SIGTERM");
      const path = `${pinPaths(first.pinRoot).maps}/records`;
      Deno.removeSync(path);
      using shim = openShim();
      const innerFd = inner && createMap(shim, { name: "foreign", ...inner });
      const fd = createMap(shim, { name: "foreign", innerFd, ...shape });
      pin(shim, fd, path);
      for (const one of [fd, innerFd]) if (one !== undefined) closeFd(shim, one);
      await using second = await startAgent(net, { services, name: "same", expectFailure: true });
      assert.equal((await second.ended()).code, 1);
      const said = second.log.map(({ msg }) => msg).join("\n");
      assert.ok(said.includes(path), said);
      assert.match(said, /is not the agent's: .* expected.*weft detach/s);
      assert.doesNotMatch(said, /\bat .*\.ts:\d+/); // no stack trace
      flawless(await net.hammer({ kind: "tcp4", targets: [at("10.96.0.1", 80)], count: 20 }));
    });
  }
});
