/** The demo's mesh: one service, four backends in two zones, and what the mesh file says of them at a time. */

/** One backend of the demo's service. */
export interface Backend {
  readonly name: string;
  readonly zone: string;
  /** IPv4 and IPv6, without prefix length. */
  readonly addresses: { readonly 4: string; readonly 6: string };
  /** The port that it listens on, for TCP and UDP. */
  readonly port: number;
}

/** Where clients call the service: neither address exists anywhere. */
export const frontend = {
  addresses: { 4: "10.96.77.80", 6: "fd96:77::80" },
  port: 80,
} as const;

/** The service's own target port; a backend that listens elsewhere has a mapping of its own. */
const targetPort = 8080;

/** All backends, in the order in which they are shown. */
export const backends: readonly Backend[] = [
  { name: "web-a1", zone: "a", addresses: { 4: "10.77.1.11", 6: "fd77:1::11" }, port: targetPort },
  { name: "web-a2", zone: "a", addresses: { 4: "10.77.1.12", 6: "fd77:1::12" }, port: 8081 },
  { name: "web-b1", zone: "b", addresses: { 4: "10.77.2.11", 6: "fd77:2::11" }, port: targetPort },
  { name: "web-b2", zone: "b", addresses: { 4: "10.77.2.12", 6: "fd77:2::12" }, port: targetPort },
];

/** What the mesh file says of one backend. */
export interface BackendState {
  readonly healthy: boolean;
  /** Its weight. */
  readonly capacity: number;
}

/** What the mesh file says, by backend; one that is not in the map is not in the file. */
export type MeshState = ReadonlyMap<string, BackendState>;

/**
 * All backends healthy with capacity 1, but for what is given.
 *
 * @param changes by backend; `undefined`: it is not in the mesh file
 */
export function meshState(changes: Readonly<Record<string, Partial<BackendState> | undefined>>): MeshState {
  const present = backends.filter(({ name }) => !(name in changes) || changes[name] !== undefined);
  return new Map(present.map(({ name }) => [name, { healthy: true, capacity: 1, ...changes[name] }]));
}

/** The share of calls that each backend must get, 0..1; empty where none may be used. */
export function expectedShares(state: MeshState): ReadonlyMap<string, number> {
  const usable = [...state].filter(([, { healthy, capacity }]) => healthy && capacity > 0);
  const total = usable.reduce((sum, [, { capacity }]) => sum + capacity, 0);
  return new Map(usable.map(([name, { capacity }]) => [name, capacity / total]));
}

/** The mesh file, in YAML. */
export function renderMesh(state: MeshState): string {
  const present = backends.flatMap((backend) => {
    const of = state.get(backend.name);
    return of === undefined ? [] : [renderWorkload(backend, of)];
  });
  return `# The mesh of weft demo; gone when the demo ends.
${present.length === 0 ? "workloads: []" : `workloads:\n${present.join("")}`}
services:
  - name: web
    namespace: demo
    hostname: web.demo.mesh.test
    vips: ["/${frontend.addresses[4]}", "/${frontend.addresses[6]}"]
    ports: { ${frontend.port}: ${targetPort} }
`;
}

function renderWorkload(
  { name, zone, addresses, port }: Backend,
  { healthy, capacity }: BackendState,
): string {
  const mapping = port === targetPort ? "{}" : `{ ${frontend.port}: ${port} }`;
  return `  - uid: ${name}
    name: ${name}
    namespace: demo
    workloadIps: ["${addresses[4]}", "${addresses[6]}"]
    locality: { region: demo, zone: ${zone}, subzone: "" }
    status: ${healthy ? "Healthy" : "Unhealthy"}
    capacity: ${capacity}
    services: { demo/web.demo.mesh.test: ${mapping} }
`;
}
