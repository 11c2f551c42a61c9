/** Mesh files for tests, from as few words as possible. */

import type { TestServer } from "./test_net.ts";

/** Port → target port. */
export type Ports = Readonly<Record<number, number>>;

export interface TestService {
  /** Addresses, or `network/address`. */
  readonly vips: readonly string[];
  /** @default 80 → 8080 */
  readonly ports?: Ports;
  /** Server name → the workload's weight and more. @default no members */
  readonly members?: Readonly<Record<string, TestMember>>;
  /** More keys of the mesh file's service, as they are written there. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface TestMember {
  /** @default 1 */
  readonly capacity?: number;
  /** The member's own mapping. @default none: the service's target ports */
  readonly ports?: Ports;
  /** @default Healthy */
  readonly status?: "Healthy" | "Unhealthy";
  /** @default both */
  readonly families?: readonly (4 | 6)[];
  /** More keys of the mesh file's workload. */
  readonly more?: Readonly<Record<string, unknown>>;
}

const portMap = (ports: Ports) =>
  new Map(Object.entries(ports).map(([port, target]) => [Number(port), target] as const));

/** JSON, which is YAML; only a map's keys (ports) are written as numbers. */
function yaml(value: unknown): string {
  if (value instanceof Map) return `{${[...value].map(([key, one]) => `${key}: ${yaml(one)}`).join(", ")}}`;
  if (Array.isArray(value)) return `[${value.map(yaml).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${yaml(one)}`).join(", ")}}`;
}

/** The key of a test's service, as commands and logs name it. */
export function serviceName(name: string): string {
  return `test/${name}.test.mesh`;
}

/** Members `a`, `b`, …, all alike. */
export function members(...names: string[]): Record<string, TestMember> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/**
 * A mesh file's text. Each member of each service is a workload of its own, so that what one service says of a server leaves others
 * alone.
 */
export function meshFile(
  services: Readonly<Record<string, TestService>>,
  servers: Readonly<Record<string, TestServer>>,
): string {
  return yaml({
    services: Object.entries(services).map(([name, { vips, ports = { 80: 8080 }, more }]) => ({
      name,
      namespace: "test",
      hostname: `${name}.test.mesh`,
      vips: vips.map((vip) => vip.includes("/") ? vip : `/${vip}`),
      ports: portMap(ports),
      ...more,
    })),
    workloads: Object.entries(services).flatMap(([service, { members = {} }]) =>
      Object.entries(members).map(([server, { capacity, ports = {}, status, families = [4, 6], more }]) => ({
        uid: `${service}/${server}`,
        name: `${service}-${server}`,
        namespace: "test",
        workloadIps: families.map((family) => family === 4 ? servers[server].v4 : servers[server].v6),
        services: { [serviceName(service)]: portMap(ports) },
        ...capacity === undefined ? {} : { capacity },
        ...status === undefined ? {} : { status },
        ...more,
      }))
    ),
  });
}
