import { afterAll, beforeAll } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Services, startAgent, type TestAgent } from "./agent.ts";
import { createTestNet, type TestNet, type TestNetOptions } from "./test_net.ts";

export interface WorldOptions extends TestNetOptions {
  /** What the agent serves at the start. */
  readonly services: Services;
  /** Who the members are. @default the test net's servers */
  readonly addresses?: TestNet["servers"];
  /** More arguments of `weft run`. @default none */
  readonly args?: readonly string[];
}

/** A test net with an agent that serves it. */
export interface World {
  readonly net: TestNet;
  readonly agent: TestAgent;
}

/**
 * One world for all tests of the group that is being described. After the last one, whatever they tested, the agent must be there
 * still, must have no error to tell of, and its maps must never have contradicted each other.
 *
 * @returns gives it to a running test
 */
export function useWorld(options: WorldOptions): () => World {
  const stack = new AsyncDisposableStack();
  let world: World | undefined;
  beforeAll(async () => {
    const { services, addresses, args, ...network } = options;
    const net = stack.use(await createTestNet(network));
    world = { net, agent: stack.use(await startAgent(net, { services, addresses, args })) };
  });
  afterAll(async () => {
    await using _ = stack;
    if (world) await assertHealthy(world.agent);
  });
  return () => {
    if (world === undefined) throw new Error("the world exists while tests run");
    return world;
  };
}

/** Asserts that an agent serves and has nothing to complain of. */
export async function assertHealthy(agent: TestAgent): Promise<void> {
  const { ready, errors, counters } = await agent.status();
  assert.deepEqual({ ready, errors, broken: counters.broken }, { ready: true, errors: [], broken: 0 });
  assert.deepEqual(agent.log.filter(({ level }) => level === "error" || level === "raw"), []);
}
