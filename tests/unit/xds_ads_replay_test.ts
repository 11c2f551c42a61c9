import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createControlPlane } from "../kit/control_plane.ts";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { grpcWire } from "./_xds_grpc_wire.ts";
import { directWire, replay } from "./_xds_replay.ts";
import { adsReplay } from "./_xds_replay_modes.ts";

describe("xds: recorded streams of mode ads", () => {
  const directory = streamsDirectory("recorded streams of mode ads");
  if (directory === undefined) return;
  for (const scenario of scenariosIn(directory, /^s/)) {
    it(`${scenario}: after every step what the control plane wants is there`, async () => {
      for (const recording of readRecordings(directory, scenario)) {
        assert.ok(await replay(recording, adsReplay, directWire()) > 0);
      }
    });
  }
});

describe("xds: recorded streams of mode ads, over gRPC", () => {
  const directory = streamsDirectory("recorded streams of mode ads, over gRPC");
  if (directory === undefined) return;
  for (const scenario of scenariosIn(directory, /^s/)) {
    it(`${scenario}: after every step what the control plane wants is there`, async () => {
      for (const recording of readRecordings(directory, scenario)) {
        await using plane = await createControlPlane();
        await using wire = grpcWire(plane);
        assert.ok(await replay(recording, adsReplay, wire) > 0);
      }
    });
  }
});
