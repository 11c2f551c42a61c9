import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { directWire, replay } from "./_xds_replay.ts";
import { workloadReplay } from "./_xds_replay_modes.ts";

describe("xds: recorded streams of mode workload", () => {
  const directory = streamsDirectory("recorded streams of mode workload");
  if (directory === undefined) return;
  // The largest one is replayed over gRPC.
  for (const scenario of scenariosIn(directory, /^w(?!7-size-5000)/)) {
    it(`${scenario}: after every step what the control plane wants is there`, async () => {
      for (const recording of readRecordings(directory, scenario)) {
        // Weft does not ask on demand.
        if (recording.client === "ondemand") continue;
        assert.ok(await replay(recording, workloadReplay, directWire()) > 0);
      }
    });
  }
});
