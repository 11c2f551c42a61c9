/** UDP sockets, which keep the endpoint that they were given while it may be used: what bpf/udp.h makes of it. */

import assert from "node:assert/strict";
import { workload } from "../../ffi/mod.ts";
import { endpointKey } from "../../src/dataplane/mod.ts";
import { byteString, type FakeKernel, u32Key } from "./_fake_kernel.ts";
import type { Destination, KernelReader } from "./_kernel_reader.ts";
import { destinations, ownerKeyOf, wantedAnswer, wantedEndpoints, type World } from "./_random_services.ts";

/** What a socket remembers. */
export interface StickySocket {
  readonly to: Destination;
  readonly index: number;
  readonly generation: number;
  readonly place: string;
}

const most = 20;

/** @param initial those that an earlier agent has seen */
export function createStickySockets(
  kernel: FakeKernel,
  reader: KernelReader,
  initial: readonly StickySocket[],
): {
  readonly sockets: readonly StickySocket[];
  /** A few more sockets send. */
  open(random: () => number, world: World): void;
  /** Asserts that no socket keeps what has become another endpoint. */
  assertSound(): void;
  /** Asserts that sockets keep the endpoints that their services keep; forgets those that do not. */
  assertKept(before: World, after: World): void;
} {
  let sockets = [...initial];
  /** Those whose endpoint is the destination's: it may have become another service's, while an agent was away. */
  let served = new Set<StickySocket>();
  const endpoints = kernel.map("endpoints");

  function read(index: number): { generation: number; usable: boolean; place: string } {
    const value = endpoints.values.get(u32Key(index))!;
    const view = new DataView(value.buffer);
    const usable = (view.getUint16(18, true) & workload.endpointFlag.ENDPOINT_USABLE) !== 0;
    return { generation: view.getUint32(20, true), usable, place: byteString(value.subarray(0, 18)) };
  }

  function indexesOf(to: Destination): number[] {
    return reader.steps(to).filter((step) => step.at === "endpoint").map((step) => step.index);
  }

  function keeps({ index, generation }: StickySocket): boolean {
    const endpoint = read(index);
    return endpoint.usable && endpoint.generation === generation;
  }

  /** The workload that a socket's datagrams go to; none where there are several at one place. */
  function workloadOf({ to, place }: StickySocket, world: World): string | undefined {
    if (wantedAnswer(world, to).kind !== "balance") return undefined;
    const endpoints = wantedEndpoints(world, to, "all").get(place) ?? [];
    return endpoints.length === 1
      ? `${ownerKeyOf(world, to.address)} ${endpointKey(endpoints[0])}`
      : undefined;
  }

  return {
    get sockets() {
      return sockets;
    },
    open: (random, world) => {
      const balanced = destinations.filter((to) =>
        to.protocol === 17 && wantedAnswer(world, to).kind === "balance"
      );
      for (let count = 0; count < 3 && balanced.length > 0 && sockets.length < most; count++) {
        const to = balanced[Math.floor(random() * balanced.length)];
        const indexes = indexesOf(to);
        const index = indexes[Math.floor(random() * indexes.length)];
        sockets.push({ to, index, ...read(index) });
      }
      served = new Set(sockets.filter((one) => keeps(one) && indexesOf(one.to).includes(one.index)));
    },
    assertSound: () => {
      for (const socket of sockets) {
        assert.ok(
          !keeps(socket) || read(socket.index).place === socket.place,
          "a UDP socket keeps an index that has become another endpoint",
        );
      }
    },
    assertKept: (before, after) => {
      for (const socket of served) {
        const workload = workloadOf(socket, before);
        assert.ok(
          keeps(socket) || workload === undefined || workload !== workloadOf(socket, after),
          `a UDP socket to ${socket.to.address} ${socket.to.port} lost its endpoint, which is there still`,
        );
      }
      sockets = sockets.filter(keeps);
    },
  };
}
