/** The acts of the demo, as data: what changes, what to see, and what the mesh file then says. */

import { type MeshState, meshState } from "./mesh.ts";

/** One act. */
export interface Act {
  /** What happens; no full stop. */
  readonly title: string;
  /** What to see; one sentence. */
  readonly see: string;
  /** What the mesh file says from the act's beginning on. */
  readonly mesh: MeshState;
  /** Whether an agent runs: one that is there is killed where none should, one is started where none is there. */
  readonly agent: boolean;
}

const equal = meshState({});
const noneUsable = meshState({
  "web-a1": { healthy: false },
  "web-a2": { healthy: false },
  "web-b1": { healthy: false },
  "web-b2": { healthy: false },
});

/** All acts, in order. No call may fail in any; they are refused where no backend may be used. */
export const acts: readonly Act[] = [
  {
    title: "four backends of equal capacity",
    see: "For each connect() the kernel picks one of them at random: a quarter each.",
    mesh: equal,
    agent: true,
  },
  {
    title: "the mesh file now says that web-b2 is Unhealthy",
    see: "Its share falls to 0, the others take over, and not one call fails.",
    mesh: meshState({ "web-b2": { healthy: false } }),
    agent: true,
  },
  {
    title: "web-b2 is healthy again, and zone b has capacity 2",
    see: "A backend in zone b now gets twice as much as one in zone a.",
    mesh: meshState({ "web-b1": { capacity: 2 }, "web-b2": { capacity: 2 } }),
    agent: true,
  },
  {
    title: "all four are Unhealthy",
    see: 'Every call is refused at once with "No route to host": nothing hangs.',
    mesh: noneUsable,
    agent: true,
  },
  {
    title: "all four are healthy again",
    see: "The next calls succeed; no client was restarted or told.",
    mesh: equal,
    agent: true,
  },
  {
    title: "the agent is killed (kill -9)",
    see: "Nothing changes: no packet passes through the agent, the kernel serves on alone.",
    mesh: equal,
    agent: false,
  },
  {
    title: "a new agent takes over; web-a1 is no longer in the mesh file",
    see: "The share of web-a1 falls to 0, and again not one call fails.",
    mesh: meshState({ "web-a1": undefined }),
    agent: true,
  },
];
