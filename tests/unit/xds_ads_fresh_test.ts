import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { nameInBroken } from "../../src/xds/ads/name_in_broken.ts";
import type { Protocol } from "../../src/xds/mod.ts";
import { type Any, discoveryRequestType, discoveryResponseType } from "../../src/xds/proto/mod.ts";
import { readRecordings, type Recording, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { urls } from "./_ads_messages.ts";
import { randomFrom } from "./_random.ts";
import { adsReplay } from "./_xds_replay_modes.ts";

/** The resources of a control plane as they are at one moment, by type and name. */
type World = ReadonlyMap<string, Map<string, Any>>;

const types = [urls.cds, urls.eds, urls.lds, urls.rds];

/** Takes in a response that was accepted. */
function update(world: World, bytes: Uint8Array): void {
  const { type_url, resources } = discoveryResponseType.decode(bytes);
  const held = world.get(type_url)!;
  if (type_url === urls.cds || type_url === urls.lds) held.clear();
  for (const resource of resources) held.set(nameInBroken(resource.value), resource);
}

/** Answers requests out of a world until none are left, in any order that a control plane may choose. */
async function serve(protocol: Protocol, world: World, random: () => number): Promise<void> {
  const requests = [...await protocol.open(new Date(0))];
  const sent = new Map<string, string>();
  let responses = 0;
  while (requests.length > 0) {
    const [bytes] = requests.splice(Math.floor(random() * requests.length), 1);
    const { type_url, resource_names } = discoveryRequestType.decode(bytes);
    const asked = [...resource_names].sort().join();
    if (sent.get(type_url) === asked) continue;
    sent.set(type_url, asked);
    const held = world.get(type_url)!;
    const all = resource_names.length > 0
      ? resource_names.flatMap((name) => held.get(name) ?? [])
      : [...held.values()];
    const resources = all.map((resource) => [random(), resource] as const).sort(([a], [b]) => a - b)
      .map(([, resource]) => resource);
    const response = { type_url, resources, version_info: "1", nonce: `n${++responses}` };
    requests.push(...await protocol.receive(discoveryResponseType.encode(response), new Date(0)));
  }
}

/** Everything that the mesh says, whatever the order in which it was learnt. */
function meshOf({ mesh }: Protocol): unknown {
  return new Map([...mesh.services.entries()].sort(([a], [b]) => a < b ? -1 : 1));
}

async function compareAfterEveryStep({ steps, scenario, client }: Recording): Promise<number> {
  const random = randomFrom(7);
  const world: World = new Map(types.map((type) => [type, new Map()]));
  const protocol = adsReplay.create();
  for (const { name, events } of steps) {
    for (const event of events) {
      if (event.kind === "open") await protocol.open(new Date(0));
      else if (event.kind === "in") {
        update(world, event.bytes);
        await protocol.receive(event.bytes, new Date(0));
      }
    }
    const fresh = adsReplay.create();
    await serve(fresh, world, random);
    assert.deepEqual(meshOf(protocol), meshOf(fresh), `${scenario}, ${client}, ${name}`);
    assert.deepEqual(protocol.notes, fresh.notes, `${scenario}, ${client}, ${name}: notes`);
    assert.equal(fresh.complete, true);
  }
  return protocol.mesh.services.size;
}

describe("xds ads: what was learnt step by step", () => {
  const directory = streamsDirectory("what was learnt step by step, beside what is learnt at once");
  if (directory === undefined) return;
  // s5 lacks what the recorder had refused; s7 is large, and has nothing that others have not.
  for (const scenario of scenariosIn(directory, /^s(?![57])/)) {
    it(`${scenario}: is what a fresh client learns at once, in any order`, async () => {
      let services = 0;
      for (const recording of readRecordings(directory, scenario)) {
        services += await compareAfterEveryStep(recording);
      }
      assert.ok(services > 0);
    });
  }
});
