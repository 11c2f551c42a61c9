/** What applications see: connections and datagrams through a VIP, in a network of their own. */

import {
  AF_INET,
  AF_INET6,
  closeFd,
  createNetns,
  type Shim,
  SOCK_DGRAM,
  SOCK_STREAM,
  type Socket,
} from "../../ffi/mod.ts";
import type { CheckSpec, Finding } from "./check.ts";
import type { Section } from "./checklist.ts";
import { servicePort, vip } from "./probe_mesh.ts";
import {
  acceptFrom,
  answer,
  ask,
  at,
  expectAddress,
  type ProbeNetwork,
  probeNetwork,
  receiveAnswer,
  type Route,
  sendThrough,
} from "./probe_network.ts";
import type { ProgramFindings } from "./program_checks.ts";

/** The network, with what listens in it. */
export interface Probes {
  readonly network: ProbeNetwork;
  /** Listening for TCP. */
  readonly server: Socket;
}

export interface ConnectionFindings {
  /** Sockets over IPv4. */
  readonly ipv4: Finding<Probes>;
  /** Sockets over IPv6; not there where it is switched off. */
  readonly ipv6: Finding<Probes>;
}

const inTheWay =
  "another program on the same hooks may be in the way: see section Other programs; otherwise " +
  "report it with the output of weft doctor -o json";

/** What is done about any failure here. */
export const connectionRemedies: Pick<CheckSpec, "remedy" | "remedies"> = {
  remedy: inTheWay,
  remedies: { EPERM: inTheWay, EACCES: inTheWay },
};

const routes: readonly (Route & { readonly id: string; readonly name: string })[] = [
  { id: "ipv4", name: "IPv4", domain: AF_INET, family: 4 },
  { id: "ipv6", name: "IPv6", domain: AF_INET6, family: 6 },
  { id: "mapped", name: "IPv4 by an IPv6 socket", domain: AF_INET6, family: 4 },
];

export async function checkConnections(
  { check }: Section,
  shim: Finding<Shim>,
  { cgroup, hooks }: Pick<ProgramFindings, "cgroup" | "hooks">,
  stack: AsyncDisposableStack,
): Promise<ConnectionFindings> {
  const ipv4 = await check(
    {
      id: "connections.ipv4",
      title: "a network for the probes",
      remedy: "use a kernel with network namespaces (CONFIG_NET_NS)",
    },
    [shim, cgroup],
    (shim, cgroup) => {
      const netns = createNetns(shim);
      stack.defer(() => closeFd(shim, netns));
      const network = probeNetwork(shim, netns, cgroup.fd);
      const server = stack.use(network.server(4, SOCK_STREAM));
      return { value: { network, server }, detail: "a namespace with loopback only" };
    },
  );
  const ipv6 = await check(
    {
      id: "connections.ipv6",
      title: "IPv6",
      remedy:
        "nothing need be done where nobody uses IPv6; else boot without ipv6.disable=1, and see that net.ipv6.conf.default.disable_ipv6 is 0",
      optional: true,
    },
    [ipv4],
    ({ network }) => ({
      value: { network, server: stack.use(network.server(6, SOCK_STREAM)) },
      detail: "switched on",
    }),
  );
  const hook = (name: string): Finding<null> => hooks.get(name) ?? { found: false, because: `hook ${name}` };
  for (const route of routes) {
    const target = at(vip[route.family], servicePort);
    const version = route.domain === AF_INET ? 4 : 6;
    const connect = hook(`connect${version}`);
    const getpeername = hook(`getpeername${version}`);
    const receive = hook(`recvmsg${version}`);
    // The kernel goes over to IPv4 before it sends, not before it receives.
    const send = hook(`sendmsg${route.family}`);
    const probes = route.family === 6 ? ipv6 : ipv4;
    const needsIpv6 = route.domain === AF_INET6 ? ipv6 : ipv4;
    const spec = (id: string, title: string) => ({
      id: `connections.${id}_${route.id}`,
      title: `${title}, ${route.name}`,
      ...connectionRemedies,
    });

    await check(spec("tcp", "TCP connect"), [probes, needsIpv6, connect], ({ network, server }) => {
      using client = network.client(route, SOCK_STREAM);
      client.connect(target);
      using accepted = acceptFrom(server, client);
      sendThrough(client, accepted);
      sendThrough(accepted, client);
      return { value: null, detail: "reached the endpoint" };
    });
    await check(spec("udp", "UDP connect"), [probes, needsIpv6, connect, receive], ({ network }) => {
      using server = network.server(route.family, SOCK_DGRAM);
      using client = network.client(route, SOCK_DGRAM);
      client.connect(target);
      ask(client);
      answer(server);
      expectAddress("the answer's sender", receiveAnswer(client), target);
      return { value: null, detail: "reached the endpoint, answered from the VIP" };
    });
    await check(spec("sendto", "UDP sendto"), [probes, needsIpv6, send, receive], ({ network }) => {
      using server = network.server(route.family, SOCK_DGRAM);
      using client = network.client(route, SOCK_DGRAM);
      ask(client, target);
      answer(server);
      expectAddress("the answer's sender", receiveAnswer(client), target);
      return { value: null, detail: "reached the endpoint, answered from the VIP" };
    });
    await check(
      spec("getpeername", "getpeername"),
      [probes, needsIpv6, connect, getpeername],
      ({ network }) => {
        for (const transport of [SOCK_STREAM, SOCK_DGRAM] as const) {
          using client = network.client(route, transport);
          client.connect(target);
          expectAddress(transport === SOCK_STREAM ? "TCP's peer" : "UDP's peer", client.peer(), target);
        }
        return { value: null, detail: "the VIP" };
      },
    );
  }
  return { ipv4, ipv6 };
}
