import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createNames } from "../../src/xds/ads/names.ts";
import { converse } from "./_ads_conversation.ts";
import { cluster, listener, locality, tcp } from "./_ads_messages.ts";

const strict = 1;
const logical = 2;

/** What is looked up, and what that gives: addresses, none, or an error. */
function dns(zone: Record<string, readonly string[] | Error>) {
  const asked: string[] = [];
  return {
    zone,
    asked,
    lookUp: (host: string) => {
      asked.push(host);
      const answer = zone[host];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? []);
    },
  };
}

/** Lets what was begun end. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A stream on which 10.96.0.1:80 leads to a cluster with these endpoints. */
async function named(
  zone: Record<string, readonly string[] | Error>,
  message: NonNullable<Parameters<typeof cluster>[1]>,
  endpoints: Parameters<typeof locality>[0],
) {
  const { lookUp, asked } = dns(zone);
  const talk = converse(lookUp);
  await talk.open();
  const load_assignment = { cluster_name: "web", endpoints: [locality(endpoints)] };
  await talk.send("cds", "1", cluster("web", { type: strict, load_assignment, ...message }));
  await talk.send("lds", "1", listener("web", "10.96.0.1:80", [tcp("web")]));
  return { talk, asked, served: () => talk.served["10.96.0.1:80"] };
}

describe("xds ads: endpoints that are names", () => {
  it("are served when their addresses are known, and complete from then on", async () => {
    const { talk, served } = await named({ "a.test": ["10.0.0.1"] }, {}, ["a.test:7"]);
    assert.equal(served(), undefined);
    assert.equal(talk.protocol.complete, false);
    await settle();
    talk.pass(1);
    assert.equal(served(), "10.0.0.1:7");
    assert.equal(talk.protocol.complete, true);
  });

  it("STRICT_DNS: are all their addresses with the endpoint's weight, beside endpoints that are addresses", async () => {
    const zone = { "a.test": ["10.0.0.2", "10.0.0.1", "fd00::1"], "b.test": ["10.0.0.3"] };
    const { talk, served } = await named(zone, {}, [
      { at: "a.test:7", weight: 2 },
      { at: "b.test:8", weight: 5 },
      "10.0.0.9:9",
    ]);
    await settle();
    talk.pass(1);
    assert.equal(served(), "10.0.0.1:7×2 10.0.0.2:7×2 10.0.0.3:8×5 10.0.0.9:9 fd00::1:7×2");
  });

  it("LOGICAL_DNS: are the first address of each family", async () => {
    const zone = { "a.test": ["10.0.0.2", "10.0.0.1", "fd00::2", "fd00::1"] };
    const { talk, served } = await named(zone, { type: logical }, ["a.test:7"]);
    await settle();
    talk.pass(1);
    assert.equal(served(), "10.0.0.1:7 fd00::1:7");
  });

  it("are of the one family that the cluster wants", async () => {
    const zone = { "a.test": ["10.0.0.1", "fd00::1"] };
    for (
      const [dns_lookup_family, expected] of [[1, "10.0.0.1:7"], [2, "fd00::1:7"], [
        0,
        "10.0.0.1:7 fd00::1:7",
      ]]
    ) {
      const { talk, served } = await named(zone, { dns_lookup_family } as { dns_lookup_family: number }, [
        "a.test:7",
      ]);
      await settle();
      talk.pass(1);
      assert.equal(served(), expected);
    }
  });

  it("are none where there is no such name, and none after 15 s without an answer", async () => {
    const { talk, served } = await named({}, {}, ["a.test:7"]);
    await settle();
    talk.pass(1);
    assert.equal(served(), "");
    const silent = await named({ "a.test": new Error("no answer") }, {}, ["a.test:7"]);
    await settle();
    silent.talk.pass(14);
    assert.equal(silent.served(), undefined);
    silent.talk.pass(1);
    assert.equal(silent.served(), "");
    assert.ok(silent.talk.protocol.notes.includes("addresses of a.test: did not come"));
  });

  it("are looked up every 5 s, and follow what changes", async () => {
    const zone: Record<string, readonly string[] | Error> = { "a.test": ["10.0.0.1"] };
    const { talk, asked, served } = await named(zone, {}, ["a.test:7"]);
    await settle();
    talk.pass(1);
    const before = talk.protocol.mesh;
    zone["a.test"] = ["10.0.0.2"];
    talk.pass(3);
    await settle();
    assert.equal(asked.length, 1);
    talk.pass(1);
    await settle();
    assert.equal(asked.length, 2);
    assert.equal(talk.protocol.mesh, before);
    talk.pass(1);
    assert.equal(served(), "10.0.0.2:7");
    zone["a.test"] = new Error("no answer");
    talk.pass(5);
    await settle();
    talk.pass(1);
    assert.equal(served(), "10.0.0.2:7");
  });

  it("are not looked up any more when no cluster has them", async () => {
    const { talk, asked } = await named({ "a.test": ["10.0.0.1"] }, {}, ["a.test:7"]);
    await settle();
    await talk.send("cds", "2");
    talk.pass(60);
    await settle();
    assert.equal(asked.length, 1);
  });
});

describe("xds ads: names", () => {
  it("are looked up once at a time", async () => {
    const answers: ((addresses: string[]) => void)[] = [];
    const names = createNames(() => new Promise((resolve) => answers.push(resolve)));
    names.addressesOf("a.test");
    for (const ms of [0, 5000, 10_000]) names.refresh(new Date(ms));
    assert.equal(answers.length, 1);
    answers[0](["10.0.0.2", "10.0.0.1", "10.0.0.2"]);
    await settle();
    assert.deepEqual(names.addressesOf("a.test"), ["10.0.0.1", "10.0.0.2"]);
    assert.equal(names.changes, 1);
  });

  it("keep the same array, and count no change, where the answer is the same in another order", async () => {
    let answer = ["10.0.0.1", "10.0.0.2"];
    const names = createNames(() => Promise.resolve(answer));
    names.addressesOf("a.test");
    names.refresh(new Date(0));
    await settle();
    const before = names.addressesOf("a.test");
    answer = answer.toReversed();
    names.refresh(new Date(5000));
    await settle();
    assert.equal(names.addressesOf("a.test"), before);
    assert.equal(names.changes, 1);
  });
});
