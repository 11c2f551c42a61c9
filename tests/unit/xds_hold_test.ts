import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { packHollow, prepareHold } from "../../src/xds/hold.ts";
import {
  AliasedResource,
  type HeldResource,
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
  const response: SharedResponse = { bytes, receivedAt, held: bytes.length };
  const isShared = names.length > 3;
  let start = 0;
  const accepted = new Map(messages.map((message, i): [string, HeldResource] => {
    bytes.set(message, start);
    const end = start + message.length;
    const resource = new ResourceInResponse(response, start, end);
    start = end;
    const whole = random() < 0.1 ? new AliasedResource([`alias of ${names[i]}`], resource) : resource;
    return [names[i], isShared ? whole : whole.packed()];
  }));
  return { accepted, response: isShared ? response : undefined };
}

const said = (held: ReadonlyMap<string, HeldResource>) =>
  new Map(
    [...held].map(([name, { version, aliases, receivedAt }]) => [name, { version, aliases, receivedAt }]),
  );

describe("what a response changes of what is held", () => {
  for (let seed = 0; seed < 20; seed++) {
    it(`seed ${seed}: is what it says, and no response is kept of which little is held`, async () => {
      const random = randomFrom(seed);
      const all = Array.from({ length: 600 }, (_, i) => `w${i}`);
      const responses: SharedResponse[] = [];
      const shared = new Set<SharedResponse>();
      let versions = 0;
      let pauses = 0;
      let held = new Map<string, HeldResource>();
      let model = said(held);
      const heldOf = (response: SharedResponse) =>
        held.values().reduce((sum, one) => sum + (one.shares === response ? one.sharedBytes : 0), 0);
      for (let step = 0; step < 60; step++) {
        const share = [0.002, 0.01, 0.2, 0.9][Math.floor(random() * 4)];
        const names = all.filter(() => random() < share);
        const { accepted, response } = brought(names, () => `${++versions}`, random);
        if (response) responses.push(response);
        if (response) shared.add(response);
        const removals = [...held.keys()].filter((name) => !accepted.has(name) && random() < share / 2);
        for (const name of removals) model.delete(name);
        for (const [name, resource] of said(accepted)) model.set(name, resource);
        const before = said(held);
        const commit = await prepareHold(held, accepted, removals, () => Promise.resolve(void pauses++));
        assert.deepEqual(said(held), before, "nothing changes before it is committed");
        held = commit();
        assert.deepEqual(said(held), model);
        model = said(held);
        for (const one of shared) assert.equal(one.held, heldOf(one), "each knows how much of it is held");
        await packHollow(held, shared, () => Promise.resolve(void pauses++));
        assert.deepEqual(said(held), model);
        for (const one of responses) {
          const bytes = heldOf(one);
          assert.ok(
            bytes === 0 || bytes >= one.bytes.length / 4,
            `${bytes} of ${one.bytes.length} keep a response`,
          );
          assert.equal(shared.has(one), bytes > 0);
        }
      }
      assert.ok(pauses > 10, "what changes much is done bit by bit");
      assert.ok(
        shared.size > 0 && shared.size < responses.length / 2,
        `${shared.size} of ${responses.length}`,
      );
    });
  }
});
