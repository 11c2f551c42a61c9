/** Order never matters: however the same mesh is told, it compiles to the same, and the kernel serves the same. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { compileService, type Controller, createController, type Datapath } from "../../src/dataplane/mod.ts";
import { createNodeFinder, type NodeFinder } from "../../src/locality/mod.ts";
import { editSnapshot, emptySnapshot, type MeshEdit, type Snapshot } from "../../src/mesh/mod.ts";
import { createDatapathHost, type DatapathHost } from "./_datapath_host.ts";
import { servedBy, type ServedFrontend } from "./_kernel_state.ts";
import { randomFrom } from "./_random.ts";
import { type FinalMesh, randomEdits, randomFinalMesh, shuffled, thisNode } from "./_random_mesh.ts";

function findNode(): NodeFinder {
  const untold = { region: undefined, zone: undefined, subzone: undefined };
  return createNodeFinder({ network: "", node: thisNode, clusterId: "c0", ...untold });
}

/** The whole mesh in one edit. */
function atOnce(random: () => number, { services, workloads }: FinalMesh): MeshEdit {
  return { upsertServices: shuffled(random, services), upsertWorkloads: shuffled(random, workloads) };
}

/** What each service of a snapshot asks of the kernel. */
function compiled(snapshot: Snapshot, node: NodeFinder) {
  const place = node.place(snapshot);
  return new Map([...snapshot.services.keys()].map((key) => [key, compileService(snapshot, key, place)]));
}

/** An agent on a fake kernel, without what is above the controller. */
interface Agent {
  readonly datapath: Datapath;
  readonly controller: Controller;
}

function startAgent(host: DatapathHost): Agent {
  const datapath = host.open();
  const node = findNode();
  const controller = createController({
    datapath,
    node: (snapshot) => node.place(snapshot),
    onFlush: () => {},
    onError: (message) => {
      throw new Error(message);
    },
  });
  return { datapath, controller };
}

/** Waits until the newest snapshot is in the kernel, and attaches. */
async function arrive({ controller, datapath }: Agent): Promise<void> {
  await controller.idle();
  assert.equal(controller.state.error, undefined);
  await datapath.attach();
}

/** What the kernel serves after these edits, told one after the other to one agent, or to several in turn. */
async function servedAfter(
  random: () => number,
  edits: readonly MeshEdit[],
): Promise<Readonly<Record<string, ServedFrontend>>> {
  using host = createDatapathHost();
  let agent = startAgent(host);
  let snapshot = emptySnapshot();
  for (const edit of edits) {
    snapshot = editSnapshot(snapshot, edit);
    agent.controller.submit(snapshot);
    // What comes while a flush runs piles up.
    if (random() < 0.5) continue;
    await arrive(agent);
    if (random() < 0.05) {
      await agent.controller.stop();
      agent.datapath.close();
      agent = startAgent(host);
      assert.ok(agent.datapath.tookOver);
    }
  }
  agent.controller.submit(snapshot);
  await arrive(agent);
  await agent.controller.stop();
  const served = servedBy(agent.datapath);
  agent.datapath.close();
  return served;
}

describe("order never matters", () => {
  it("to what services compile to, and to where the node is", () => {
    let known = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = randomFrom(seed);
      const mesh = randomFinalMesh(random);
      const wanted = editSnapshot(emptySnapshot(), atOnce(random, mesh));
      const freshNode = findNode();
      const fresh = compiled(wanted, freshNode);
      if (freshNode.place(wanted).locality.zone !== "") known++;
      for (let round = 0; round < 3; round++) {
        const node = findNode();
        let snapshot = emptySnapshot();
        for (const edit of randomEdits(random, mesh)) {
          snapshot = editSnapshot(snapshot, edit);
          node.place(snapshot);
        }
        assert.deepEqual(node.place(snapshot), freshNode.place(wanted), `seed ${seed}`);
        assert.equal(node.warning, freshNode.warning);
        assert.deepEqual(compiled(snapshot, node), fresh, `seed ${seed}`);
      }
    }
    assert.ok(known > 30 && known < 130, `in ${known} of 150 meshes the node's place is known`);
  });

  it("to what the kernel serves: the same as a fresh agent's", async () => {
    let entries = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed);
      const mesh = randomFinalMesh(random);
      const fresh = await servedAfter(random, [atOnce(random, mesh)]);
      for (const { entries: these } of Object.values(fresh)) entries += these.length;
      for (let round = 0; round < 2; round++) {
        assert.deepEqual(await servedAfter(random, randomEdits(random, mesh)), fresh, `seed ${seed}`);
      }
    }
    assert.ok(entries > 1000, `only ${entries} entries were compared`);
  });
});
