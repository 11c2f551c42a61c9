import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createControlPlane } from "../kit/mod.ts";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { grpcWire } from "./_xds_grpc_wire.ts";
import { replay } from "./_xds_replay.ts";
import { workloadReplay } from "./_xds_replay_modes.ts";

describe("xds: recorded streams of mode workload, over gRPC", () => {
  const directory = streamsDirectory("recorded streams of mode workload, over gRPC");
  if (directory === undefined) return;
  for (const scenario of scenariosIn(directory, /^w/)) {
    it(`${scenario}: what weft shows after every step is what the control plane wants`, async () => {
      for (const recording of readRecordings(directory, scenario)) {
        if (recording.client === "ondemand") continue;
        await using plane = await createControlPlane();
        await using wire = grpcWire(plane);
        assert.ok(await replay(recording, workloadReplay, wire) > 0);
      }
    });
  }
});
