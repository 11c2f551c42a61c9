/** What the kernel refuses, counts, tells, remembers and forgets. */

import {
  AF_INET,
  AF_INET6,
  KernelError,
  openRing,
  type Shim,
  SOCK_DGRAM,
  SOCK_STREAM,
  workload,
} from "../../ffi/mod.ts";
import { countPeers, type Datapath, eventsSize, failureEventsSize } from "../dataplane/mod.ts";
import type { Family } from "../mesh/mod.ts";
import { CheckFailed, type Finding } from "./check.ts";
import type { Section } from "./checklist.ts";
import { type ConnectionFindings, connectionRemedies } from "./connection_checks.ts";
import { closedPort, emptyVip, servicePort, unlistedPort, vip } from "./probe_mesh.ts";
import { addressText, ask, at, type ProbeNetwork, type Route } from "./probe_network.ts";
import type { ProgramFindings } from "./program_checks.ts";

const routes: Readonly<Record<Family, Route>> = {
  4: { domain: AF_INET, family: 4 },
  6: { domain: AF_INET6, family: 6 },
};

export async function checkState(
  { check }: Section,
  shim: Finding<Shim>,
  { datapath, marks, setRetval, hooks }: ProgramFindings,
  connections: ConnectionFindings,
): Promise<void> {
  const hook = (name: string): Finding<null> => hooks.get(name) ?? { found: false, because: `hook ${name}` };
  const spec = (id: string, title: string) => ({ id: `connections.${id}`, title, ...connectionRemedies });
  const { ipv4, ipv6 } = connections;

  for (const family of [4, 6] as const) {
    await check(
      spec(`refusal_ipv${family}`, `refusals, IPv${family}`),
      [family === 4 ? ipv4 : ipv6, setRetval, hook(`connect${family}`), hook(`sendmsg${family}`)],
      ({ network }, setRetval) => {
        const wanted = setRetval ? "EHOSTUNREACH" : "EPERM";
        for (const [what, errno] of Object.entries(refusals(network, family))) {
          if (errno !== wanted) throw new CheckFailed(`${what}: ${errno}, expected ${wanted}`);
        }
        return { value: null, detail: wanted };
      },
    );
  }
  await check(
    spec("refusal_event", "refusals told (ring buffer)"),
    [shim, datapath, ipv4, hook("connect4")],
    (shim, { maps }, { network }) => {
      const target = at(vip[4], unlistedPort);
      using ring = openRing(shim, maps!.eventsFd, workload.refusalEvent, eventsSize);
      ring.read();
      using client = network.client(routes[4], SOCK_STREAM);
      errnoOf(() => client.connect(target));
      const told = ring.read().records.map(addressText);
      if (told.join() !== addressText(target)) {
        throw new CheckFailed(
          `the ring told of ${told.join(", ") || "nothing"}, expected ${addressText(target)}`,
        );
      }
      return { value: null, detail: "one refusal, one record" };
    },
  );
  await check(
    spec("failure", "a refused connect seen (sockops)"),
    [shim, datapath, ipv4, hook("connect4"), hook("sockops")],
    (shim, { maps }, { network }) => {
      using ring = openRing(shim, maps!.failureEventsFd, workload.failureEvent, failureEventsSize);
      ring.read();
      using client = network.client(routes[4], SOCK_STREAM);
      const errno = errnoOf(() => client.connect(at(vip[4], closedPort)));
      const seen = ring.read().records.map(({ failure }) => failure);
      if (errno !== "ECONNREFUSED" || seen.join() !== `${workload.failure.FAILURE_REFUSED}`) {
        throw new CheckFailed(
          `a connect that nobody listens for gave ${errno} and was seen as ${
            seen.join(", ") || "nothing"
          }, ` +
            `expected ECONNREFUSED and ${workload.failure.FAILURE_REFUSED}`,
        );
      }
      return { value: null, detail: "one connect, one record" };
    },
  );
  await check(
    spec("counters", "connections counted"),
    [datapath, ipv4, hook("connect4")],
    (datapath, { network }) => {
      const before = counted(datapath);
      using client = network.client(routes[4], SOCK_STREAM);
      client.connect(at(vip[4], servicePort));
      const after = counted(datapath);
      if (after.total !== before.total + 1 || after.hits !== before.hits + 1n) {
        throw new CheckFailed(
          `one connection counted as ${after.total - before.total}, its endpoint's hits as ` +
            `${after.hits - before.hits}`,
        );
      }
      return { value: null, detail: "per CPU and per endpoint" };
    },
  );
  await check(
    spec("exemption", "marked sockets left alone"),
    [ipv4, marks, hook("connect4")],
    ({ network }, marks) => {
      using client = network.client(routes[4], SOCK_STREAM);
      marks.update(client.fd, 1);
      const errno = errnoOf(() => client.connect(at(vip[4], servicePort)));
      // Nothing routes to the VIP itself.
      if (errno !== "ENETUNREACH") throw new CheckFailed(`connect gave ${errno}, expected ENETUNREACH`);
      return { value: null, detail: "the agent's own sockets are not balanced" };
    },
  );
  await check(
    spec("release", "state freed at close (sock_release)"),
    [datapath, ipv4, hook("connect4"), hook("sendmsg4"), hook("sock_release")],
    (datapath, { network }) => {
      const remembered = useSockets(datapath, network);
      const left = remembers(datapath);
      if (remembered === 0) throw new CheckFailed("nothing was remembered of two open sockets");
      if (left > 0) throw new CheckFailed(`${left} of ${remembered} elements are left`);
      return { value: null, detail: `${remembered} elements of 2 sockets, none left` };
    },
  );
}

/** The errno of what must be refused, by what was tried. */
function refusals(network: ProbeNetwork, family: Family): Readonly<Record<string, string>> {
  const attempt = (transport: typeof SOCK_STREAM | typeof SOCK_DGRAM, address: string, port: number) => {
    using client = network.client(routes[family], transport);
    return errnoOf(() => client.connect(at(address, port)));
  };
  const send = () => {
    using client = network.client(routes[family], SOCK_DGRAM);
    return errnoOf(() => ask(client, at(emptyVip[family], servicePort)));
  };
  return {
    "TCP connect to a port that is not listed": attempt(SOCK_STREAM, vip[family], unlistedPort),
    "TCP connect to a service without a usable endpoint": attempt(SOCK_STREAM, emptyVip[family], servicePort),
    "UDP connect to a service without a usable endpoint": attempt(SOCK_DGRAM, emptyVip[family], servicePort),
    "UDP sendto a service without a usable endpoint": send(),
  };
}

/** The name of the errno that a call fails with. */
function errnoOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
  return "no error";
}

function counted({ maps }: Datapath): { readonly total: number; readonly hits: bigint } {
  const hits = [...maps!.endpointHits.entries()].reduce((sum, [, count]) => sum + count, 0n);
  return { total: maps!.counters.sum(workload.counter.COUNTER_TCP_BALANCED), hits };
}

/** Connects a TCP socket, sends on a UDP one, and closes both. Returns how much the kernel remembered of them. */
function useSockets(datapath: Datapath, network: ProbeNetwork): number {
  using tcp = network.client(routes[4], SOCK_STREAM);
  using udp = network.client(routes[4], SOCK_DGRAM);
  tcp.connect(at(vip[4], servicePort));
  ask(udp, at(vip[4], servicePort));
  return remembers(datapath);
}

/** Elements of per-socket state. */
function remembers({ sockets }: Datapath): number {
  return countPeers(sockets) + sockets.flows.countEntries();
}
