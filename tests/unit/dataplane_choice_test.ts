import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import type { Datapath } from "../../src/dataplane/mod.ts";
import type { Choice } from "../../src/mesh/mod.ts";
import { assertServes, type Change, createDatapathHost, serviceOf } from "./_datapath_host.ts";

const random: Choice = { kind: "random" };
const roundRobin: Choice = { kind: "roundRobin" };
const others: readonly Choice[] = [
  { kind: "leastRequest", choices: 2 },
  { kind: "ringHash", minimumSize: 64, maximumSize: 8_388_608 },
  { kind: "maglev", tableSize: 251 },
];
const inTurn = workload.serviceFlag.SERVICE_ROUND_ROBIN;

function serviceWith(n: number, members: number, choice: Choice): Change {
  const [key, service] = serviceOf(n, members);
  const servicePorts = service!.servicePorts.map((port) => ({ ...port, choice }));
  return [key, { ...service!, servicePorts }];
}

/** Its endpoints with weights 1, 2, 3 and so on. */
function weighted([key, service]: Change): Change {
  const servicePorts = service!.servicePorts.map((port) => ({
    ...port,
    tiers: port.tiers.map((tier) => ({
      ...tier,
      endpoints: tier.endpoints.map((endpoint, i) => ({ ...endpoint, weight: i + 1 })),
    })),
  }));
  return [key, { ...service!, servicePorts }];
}

function portOf({ applied, maps }: Datapath, n: number) {
  const [{ id }] = applied.services.get(`shop/s${n}`)!.servicePorts.values();
  return { id, value: maps!.services.lookup(id)! };
}

describe("how endpoints are chosen", () => {
  it("is a flag of the service port: another choice changes nothing else", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    await datapath.flush([serviceWith(1, 3, random), serviceWith(2, 3, roundRobin)]);
    const before = portOf(datapath, 1);
    assert.equal(before.value.flags, 0);
    assert.equal(portOf(datapath, 2).value.flags, inTurn);
    const report = await datapath.flush([serviceWith(1, 3, roundRobin)]);
    assert.equal(report.recordsPublished + report.endpointsWritten, 0);
    assert.deepEqual(portOf(datapath, 1), { id: before.id, value: { ...before.value, flags: inTurn } });
    for (const choices of [2, 3]) {
      const { recordsPublished } = await datapath.flush([
        serviceWith(1, 3, { kind: "leastRequest", choices }),
      ]);
      assert.equal(recordsPublished, 0);
      const flags = workload.serviceFlag.SERVICE_LEAST_REQUEST;
      assert.deepEqual(portOf(datapath, 1), { id: before.id, value: { ...before.value, flags, choices } });
    }
    await datapath.flush([serviceWith(1, 3, random)]);
    assert.deepEqual(portOf(datapath, 1), before);
    datapath.close();
  });

  it("stays when endpoints come and go, and in a larger generation", async () => {
    using host = createDatapathHost();
    const datapath = host.open({ sizes: { services: 4 } });
    await datapath.flush([serviceWith(1, 3, roundRobin)]);
    await datapath.flush([serviceWith(1, 5, roundRobin)]);
    assert.equal(portOf(datapath, 1).value.flags, inTurn);
    const more = [2, 3, 4, 5, 6].map((n) => serviceWith(n, 2, random));
    const { grownTo } = await datapath.flush(more);
    assert.ok(grownTo!.services > 4);
    assert.equal(datapath.maps!.turns.info().maxEntries, datapath.maps!.services.info().maxEntries);
    assert.equal(portOf(datapath, 1).value.flags, inTurn);
    assertServes(host.kernel, datapath, [serviceWith(1, 5, roundRobin), ...more]);
    datapath.close();
  });

  for (const choice of others) {
    it(`is read back with its table: ${choice.kind}`, async () => {
      using host = createDatapathHost();
      const first = host.open();
      const services = [
        weighted(serviceWith(1, 3, choice)),
        serviceWith(2, 3, choice),
        serviceWith(3, 1, choice),
      ];
      await first.flush(services);
      await first.attach();
      await first.settle();
      first.close();
      const second = host.open();
      const again = await second.flush(services);
      assert.equal(again.recordsPublished + again.endpointsWritten, 0);
      // Nor is anything made anew for what is the same.
      const same = await second.flush([weighted(serviceWith(1, 3, choice))]);
      assert.equal(same.recordsPublished, 0);
      const other = await second.flush([weighted(serviceWith(1, 3, random)), serviceWith(2, 3, random)]);
      assert.equal(other.recordsPublished, choice.kind === "leastRequest" ? 1 : 2);
      assertServes(host.kernel, second, services);
      second.close();
    });
  }

  it("makes another table where only its size changes", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    for (const tableSize of [251, 257, 257]) {
      const choice: Choice = { kind: "maglev", tableSize };
      await datapath.flush([serviceWith(1, 3, choice)]);
      assert.equal(portOf(datapath, 1).value.tier.count & ~workload.tierFlag.TIER_MAPPED, tableSize);
    }
    datapath.close();
  });

  it("counts endpoints' connections from the first service port on that asks for them", async () => {
    using host = createDatapathHost();
    const datapath = host.open();
    await datapath.flush([serviceWith(1, 3, random)]);
    assert.equal(datapath.maps!.sizes.endpointConnections, 1);
    const { grownTo } = await datapath.flush([serviceWith(2, 3, others[0])]);
    assert.equal(grownTo!.endpointConnections, datapath.maps!.sizes.endpoints);
    datapath.close();
  });

  it("is read back: the same choice writes nothing, another one is corrected", async () => {
    using host = createDatapathHost();
    const first = host.open();
    const services = [serviceWith(1, 3, roundRobin), serviceWith(2, 3, random)];
    await first.flush(services);
    await first.attach();
    const ids = [1, 2].map((n) => portOf(first, n).id);
    first.close();
    const second = host.open();
    const written: string[] = [];
    host.kernel.onWrite = ({ name }) => written.push(name);
    await second.flush(services);
    assert.ok(!written.includes("services"), written.join());
    second.close();
    const third = host.open();
    await third.flush([serviceWith(1, 3, random), serviceWith(2, 3, roundRobin)]);
    assert.equal(written.filter((name) => name === "services").length, 4);
    assert.deepEqual([1, 2].map((n) => portOf(third, n).id), ids);
    assert.deepEqual([1, 2].map((n) => portOf(third, n).value.flags), [0, inTurn]);
    third.close();
  });
});
