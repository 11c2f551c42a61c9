import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { createAdsProtocol } from "../../src/xds/mod.ts";
import { createControlPlane } from "../kit/control_plane.ts";
import { replaySotw } from "../kit/replay_sotw.ts";
import { readRecordings, scenariosIn, streamsDirectory } from "../kit/streams.ts";
import { comparable, isRefusal, spoilt } from "./_ads_recordings.ts";
import { assertSameState, directWire, replay, resourcesOf } from "./_xds_replay.ts";
import { adsReplay } from "./_xds_replay_modes.ts";
import { startClient, type TestClient } from "./_xds_client.ts";

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
        let client: TestClient | undefined;
        const replayed = replaySotw(plane, {
          inject: (response, answer) => isRefusal(answer) ? spoilt(response) : response,
          onOpen: async (keep) => {
            // A client that comes back with nothing is a restarted agent.
            if (client !== undefined && keep !== "nothing") return;
            await client?.[Symbol.asyncDispose]();
            client = startClient(plane.target, {
              protocol: createAdsProtocol({ id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local" }, ""),
            });
          },
        });
        try {
          for (const step of recording.steps) {
            await replayed.play(step);
            const { connected: _, ...expected } = step.expected;
            const [now, then] = [await resourcesOf(client!.protocol), expected].map((state) =>
              comparable(state, "") as Record<string, unknown>
            );
            assertSameState(now, then, `${scenario}, ${recording.client}, ${step.name}`);
          }
        } finally {
          await client?.[Symbol.asyncDispose]();
        }
      }
    });
  }
});
