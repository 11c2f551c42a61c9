import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { prepareHold } from "../../src/xds/hold.ts";
import {
  AliasedResource,
  type HeldResource,
  PackedResource,
  ResourceInResponse,
  type SharedResponse,
} from "../../src/xds/held_resource.ts";
import { resourceType } from "../../src/xds/proto/mod.ts";
import { randomFrom } from "./_random.ts";

const receivedAt = new Date(7);

/** What one response brings: each resource says its version, which tells it from all others. */
function brought(names: readonly string[], version: () => string, random: () => number) {
  const messages = names.map((name) => resourceType.encode({ name, version: version() }));
  const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
  const response: SharedResponse = { bytes, receivedAt, most: names.length, held: names.length };
  const isShared = names.length > 3;
  let start = 0;
  const accepted = new Map(messages.map((message, i) => {
    bytes.set(message, start);
    const end = start + message.length;
    const resource = new (isShared ? ResourceInResponse : PackedResource)(response, start, end);
    start = end;
    return [names[i], random() < 0.1 ? new AliasedResource([`alias of ${names[i]}`], resource) : resource];
  }));
  return { accepted, response: isShared ? response : undefined };
}

const said = (held: ReadonlyMap<string, HeldResource>) =>
  new Map(
    [...held].map(([name, { version, aliases, receivedAt }]) => [name, { version, aliases, receivedAt }]),
  );

describe("what a response changes of what is held", () => {
  for (let seed = 0; seed < 20; seed++) {
    it(`seed ${seed}: is what it says, and every response knows how much of it is held`, async () => {
      const random = randomFrom(seed);
      const all = Array.from({ length: 600 }, (_, i) => `w${i}`);
      const responses: SharedResponse[] = [];
      let versions = 0;
      let pauses = 0;
      let held = new Map<string, HeldResource>();
      let model = said(held);
      for (let step = 0; step < 60; step++) {
        const share = [0.002, 0.01, 0.2, 0.9][Math.floor(random() * 4)];
        const names = all.filter(() => random() < share);
        const { accepted, response } = brought(names, () => `${++versions}`, random);
        if (response) responses.push(response);
        const removals = [...held.keys()].filter((name) => !accepted.has(name) && random() < share / 2);
        for (const name of removals) model.delete(name);
        for (const [name, resource] of said(accepted)) model.set(name, resource);
        const before = said(held);
        const commit = await prepareHold(held, accepted, removals, () => Promise.resolve(void pauses++));
        assert.deepEqual(said(held), before, "nothing changes before it is committed");
        held = commit();
        assert.deepEqual(said(held), model);
        model = said(held);
        for (const one of responses) {
          const count = [...held.values()].filter(({ shares }) => shares === one).length;
          assert.equal(one.held, count);
          assert.ok(count === 0 || count >= one.most / 16, `${count} of ${one.most} keep a response`);
        }
      }
      assert.ok(pauses > 10, "what changes much is done bit by bit");
      assert.ok(responses.some((one) => one.held === 0) && responses.some((one) => one.held > 0));
    });
  }
});
