/** One service with endpoints near by and far away, what comes of connects to it, and who of it is set aside. */

import assert from "node:assert/strict";
import { endpointsResponse } from "../../src/observe/api.ts";
import {
  at,
  eventually,
  serviceName,
  type Services,
  type SocketKind,
  type Sockets,
  type TestAgent,
  type TestMember,
  type TestNet,
} from "../kit/mod.ts";

const vip4 = "10.96.0.1";
const vip6 = "fd96::1";
/** Where connects go to. */
export const web4 = at(vip4, 80);
export const web6 = at(vip6, 80);

/** A server in a zone of the node's region. */
export function inZone(zone: string): TestMember {
  return { more: { locality: { region: "r", zone, subzone: "" } } };
}

/** The same for all of them. */
export function each<T>(names: readonly string[], value: T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, value]));
}

/** One service with these members, nearest first. */
export function web(
  members: Readonly<Record<string, TestMember>>,
  more: Record<string, unknown> = {},
): Services {
  const loadBalancer = {
    mode: "Failover",
    routingPreferences: ["Region", "Zone"],
    healthPolicy: "OnlyHealthy",
  };
  return { web: { vips: [vip4, vip6], members, more: { loadBalancer, ...more } } };
}

/** Arguments of `weft run`: where the node is. */
export const atHome = ["--region", "r", "--zone", "near"];

/** What `weft endpoints` says. */
export async function endpointsOf(agent: TestAgent) {
  const { code, stdout, stderr } = await agent.weft("endpoints", serviceName("web"), "-o", "json");
  assert.deepEqual([code, stderr], [0, ""]);
  return endpointsResponse.parse(JSON.parse(stdout)).endpoints;
}

/** The servers that are set aside for callers of a family. */
export async function asideIn(agent: TestAgent, family: 4 | 6 = 4): Promise<string[]> {
  const endpoints = await endpointsOf(agent);
  return endpoints.filter((one) => one.family === `IPv${family}` && one.setAside !== null)
    .map(({ uid }) => uid.replace("web/", "")).toSorted();
}

/** What a connect comes to. */
export async function connect(
  sockets: Sockets,
  kind: SocketKind,
  to: string,
  timeoutMs?: number,
): Promise<string> {
  const socket = await sockets.open(kind, timeoutMs);
  const result = await outcome(socket.connect(to));
  await socket.close();
  return result;
}

/** Of a connect that is under way. */
export function outcome(connecting: Promise<void>): Promise<string> {
  return connecting.then(() => "connected", (error) => error.code);
}

/** One in each zone: all connects go to `a` while it is in use. */
export const neighbours = { a: inZone("near"), b: inZone("far") };

/** Connects to the dead server until it is set aside. */
export async function failUntilAside(net: TestNet, agent: TestAgent): Promise<void> {
  await using sockets = await net.sockets();
  await eventually("a is set aside", async () => {
    if ((await asideIn(agent)).join() === "a") return true;
    await connect(sockets, "tcp4", web4);
    return false;
  });
}
