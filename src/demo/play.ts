/** The demo from beginning to end. */

import { sleep } from "../host/mod.ts";
import { type Act, acts } from "./acts.ts";
import { type Cast, createCast } from "./cast.ts";
import { judge, type Unanswered, unanswered } from "./judge.ts";
import { expectedShares, renderMesh } from "./mesh.ts";
import type { Stage } from "./stage.ts";
import { createTally, sum, type Tally } from "./tally.ts";
import type { ActResult, DemoReport } from "./view.ts";
import { createWorld, type World } from "./world.ts";

export interface DemoOptions {
  /** About how long the demo may take, in seconds. */
  readonly seconds: number;
  readonly stage: Stage;
}

/** What building the world and taking it down need of that time, in seconds. */
const aroundActs = 3;

/** Time between two frames, in milliseconds. */
const frameMs = 100;

/** The last calls, which the bars show, in milliseconds. */
const recentMs = 1000;

/** The end of an act, as a part of it, that must be wholly as the mesh file says. */
const comparedPart = 0.6;

/** How much longer than planned an act may take until that is so, in milliseconds. */
const patienceMs = 10_000;

/** Everything that an act needs. */
interface Scene {
  readonly world: World;
  readonly cast: Cast;
  readonly tally: Tally;
  readonly stage: Stage;
  readonly signal: AbortSignal;
  /** Told of what goes wrong outside of any call. */
  readonly onFailure: (error: unknown) => void;
  /** How long an act is to take, in milliseconds. */
  readonly actMs: number;
}

/**
 * Plays all acts in a world of its own, which is gone when this returns or throws.
 *
 * @throws {HostError} where the host lacks something, or one of the demo's processes ends
 */
export async function playDemo({ seconds, stage }: DemoOptions, signal: AbortSignal): Promise<DemoReport> {
  const failure = new AbortController();
  const onFailure = (error: unknown) => failure.abort(error);
  const either = AbortSignal.any([signal, failure.signal]);
  const tally = createTally();
  await using world = await createWorld().catch((error) => {
    signal.throwIfAborted(); // a terminal's Ctrl-C also ends the programs that build it
    throw error;
  });
  signal.throwIfAborted();
  stage.introduce();
  world.writeMesh(renderMesh(acts[0].mesh));
  const onCalls = tally.add;
  await using cast = await createCast({ world, onCalls, onFailure, signal: either });
  const actMs = Math.max(0, seconds - aroundActs) * 1000 / acts.length;
  const scene: Scene = { world, cast, tally, stage, signal: either, onFailure, actMs };
  const results: PlayedAct[] = [];
  for (const act of acts) results.push(await playAct(act, results, scene));
  stage.close();
  return {
    results,
    answered: tally.since().reduce((total, kind) => total + sum(kind.answered), 0),
    refused: results.reduce((total, { refused }) => total + sum(refused), 0),
    failed: failedIn(results),
  };
}

/** An act's result, and the calls since its beginning that were not answered. */
type PlayedAct = ActResult & Unanswered;

const failedIn = (results: readonly Unanswered[]) =>
  results.reduce((total, { failed }) => total + sum(failed), 0);

async function playAct(act: Act, before: readonly PlayedAct[], scene: Scene): Promise<PlayedAct> {
  const { tally, stage, cast, signal, actMs } = scene;
  const number = before.length + 1;
  const startedAt = performance.now();
  // Until a change is in force, what was so in the act before may still be seen.
  const mayRefuse = [act, before.at(-1)?.act].some((one) => one && expectedShares(one.mesh).size === 0);
  const unansweredSoFar = () => unanswered(tally.since(startedAt), mayRefuse);
  const timer = setInterval(() => {
    try {
      stage.show({
        act,
        number,
        recent: tally.since(performance.now() - recentMs),
        total: tally.since(),
        failed: failedIn([...before, unansweredSoFar()]),
        agentPid: cast.agentPid(),
      });
    } catch (error) {
      scene.onFailure(error); // standard output was closed
    }
  }, frameMs);
  try {
    if (number > 1) scene.world.writeMesh(renderMesh(act.mesh));
    await cast.haveAgent(act.agent);
    const changedAt = performance.now();
    const comparedMs = Math.max(500, actMs * comparedPart);
    const endAt = Math.max(startedAt + actMs, changedAt + comparedMs);
    await sleep(endAt - performance.now(), signal);
    const compare = () => {
      const now = performance.now();
      // A machine too busy for enough calls in that time gets more of it.
      const compared = tally.since(Math.max(changedAt, now - Math.max(comparedMs, (now - changedAt) / 2)));
      return { compared, problem: judge(compared, act.mesh) };
    };
    let { compared, problem } = compare();
    while (problem !== undefined && performance.now() < endAt + patienceMs) {
      await sleep(frameMs, signal);
      ({ compared, problem } = compare());
    }
    const { refused, failed } = unansweredSoFar();
    const reasons = [...failed].map(([reason, count]) => `${count} calls failed: ${reason}`);
    const result = { act, number, compared, refused, failed, problem: problem ?? reasons.at(0) };
    stage.tell(result);
    return result;
  } finally {
    clearInterval(timer);
  }
}
