/** The compiler against the worked answers of ../shared/fixtures/ranks (its README says what a query's fields mean). */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Place } from "../../src/locality/mod.ts";
import { existsSync } from "node:fs";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import { compileService } from "../../src/dataplane/compile.ts";
import type { DesiredFrontend, DesiredServicePort } from "../../src/dataplane/desired.ts";
import { emptySnapshot, parseAddress, replaceMesh, serviceKey, type Snapshot } from "../../src/mesh/mod.ts";

interface ExpectedEndpoint {
  readonly uid: string;
  readonly address: string;
  readonly port: number;
  readonly share: string;
}

interface Query {
  readonly compare?: boolean;
  readonly dst: string;
  readonly service: string | null;
  readonly source: Readonly<
    Record<"network" | "region" | "zone" | "subzone" | "node" | "clusterId", string>
  >;
  readonly outcome: "endpoints" | "none" | "passthrough" | "unknown" | "invalid-file";
  readonly endpoints: readonly ExpectedEndpoint[];
}

/** Everything that a node at one place is to be programmed with. */
interface Programmed {
  /** Address → port and protocol → the frontend and the service that asks for it. */
  readonly frontends: ReadonlyMap<
    string,
    ReadonlyMap<string, { service: string; frontend: DesiredFrontend }>
  >;
  readonly servicePorts: ReadonlyMap<string, DesiredServicePort>;
}

function program(snapshot: Snapshot, place: Place): Programmed {
  const frontends = new Map<string, Map<string, { service: string; frontend: DesiredFrontend }>>();
  const servicePorts = new Map<string, DesiredServicePort>();
  for (const service of snapshot.services.keys()) {
    const desired = compileService(snapshot, service, place);
    for (const servicePort of desired.servicePorts) servicePorts.set(servicePort.key, servicePort);
    for (const frontend of desired.frontends) {
      const ports = frontends.get(frontend.address) ?? new Map();
      const key = `${frontend.port}/${frontend.protocol}`;
      assert.ok(!ports.has(key), `${frontend.address} ${key} is asked for twice`);
      frontends.set(frontend.address, ports.set(key, { service, frontend }));
    }
  }
  return { frontends, servicePorts };
}

/** A weight as a share of the total, as an exact fraction in lowest terms. */
function shareOf(weight: number, total: bigint): string {
  let [a, b] = [BigInt(weight), total];
  while (b !== 0n) [a, b] = [b, a % b];
  return `${BigInt(weight) / a}/${total / a}`;
}

interface Answer {
  readonly service: string | null;
  readonly outcome: Query["outcome"];
  /** `uid address:port share`, sorted; those of weight 0 left out. */
  readonly endpoints: readonly string[];
}

/** What a TCP connection to an address and port meets in the kernel: the port's own frontend, else the address's. */
function answer({ frontends, servicePorts }: Programmed, address: string, port: number): Answer {
  const ports = frontends.get(address);
  const found = ports?.get(`${port}/6`) ?? ports?.get("0/0");
  if (found === undefined) return { service: null, outcome: "unknown", endpoints: [] };
  const { service, frontend: { target } } = found;
  if (target.kind === "leave") return { service, outcome: "passthrough", endpoints: [] };
  if (target.kind === "unlisted") return { service, outcome: "none", endpoints: [] };
  const all = servicePorts.get(target.key)?.tiers[0]?.endpoints ?? [];
  const total = all.reduce((sum, { weight }) => sum + BigInt(weight), 0n);
  const endpoints = all.filter(({ weight }) => weight > 0)
    .map(({ uid, address, port, weight }) => `${uid} ${address}:${port} ${shareOf(weight, total)}`).sort();
  return { service, outcome: total === 0n ? "none" : "endpoints", endpoints };
}

function splitDestination(dst: string): { address: string; port: number } {
  const colon = dst.lastIndexOf(":");
  const address = parseAddress(dst.slice(0, colon).replace(/^\[|\]$/g, ""));
  assert.ok(address !== undefined, `${dst} has an address`);
  return { address, port: Number(dst.slice(colon + 1)) };
}

/** How many queries were compared, by what was compared of them. */
interface Counts {
  files: number;
  /** Owner, outcome, endpoints and shares. */
  whole: number;
  /** That there is no frontend: the address is a workload's, unknown, or of a range. */
  noFrontend: number;
}

function checkQuery(snapshot: Snapshot, programmed: Programmed, query: Query, counts: Counts): void {
  const { address, port } = splitDestination(query.dst);
  const actual = answer(programmed, address, port);
  const service = [...snapshot.services.values()].find((each) => serviceKey(each) === query.service);
  const byVip = service?.vips.some((vip) => vip.address === address && vip.network === query.source.network);
  if (!byVip) {
    assert.equal(actual.service, null);
    counts.noFrontend++;
    return;
  }
  assert.equal(actual.service, query.service);
  assert.equal(actual.outcome, query.outcome);
  const expected = query.endpoints.map(({ uid, address, port, share }) =>
    `${uid} ${address}:${port} ${share}`
  );
  assert.deepEqual(actual.endpoints, expected.sort());
  counts.whole++;
}

const shared = Deno.env.get("WEFT_SHARED") ?? new URL("../../../shared", import.meta.url).pathname;
const fixtures = `${shared}/fixtures/ranks`;

function checkFile(name: string, counts: Counts): void {
  const queries: Query[] = JSON.parse(Deno.readTextFileSync(`${fixtures}/expected/${name}.json`));
  const compared = queries.filter((query) => query.compare !== false && query.outcome !== "invalid-file");
  const file = `${name}.yaml`;
  let mesh;
  try {
    mesh = parseMesh(Deno.readTextFileSync(`${fixtures}/cases/${file}`), file).mesh;
  } catch (error) {
    if (!(error instanceof MeshFileError)) throw error;
    assert.equal(compared.length, 0, `${file} is refused, though answers are known: ${error.message}`);
    return;
  }
  counts.files++;
  const snapshot = replaceMesh(emptySnapshot(), mesh);
  const byPlace = new Map<string, Programmed>();
  for (const query of compared) {
    const { network, node, clusterId, region, zone, subzone } = query.source;
    const place = { network, node, clusterId, locality: { region, zone, subzone } };
    const programmed = byPlace.get(JSON.stringify(place)) ?? program(snapshot, place);
    byPlace.set(JSON.stringify(place), programmed);
    try {
      checkQuery(snapshot, programmed, query, counts);
    } catch (error) {
      throw new Error(`${file}: ${query.dst}: ${JSON.stringify(query)}`, {
        cause: error,
      });
    }
  }
}

describe("compileService and the worked answers", () => {
  it("agree on owners, outcomes, endpoints and shares", () => {
    if (!existsSync(fixtures)) {
      console.warn(
        `SKIPPED: there are no worked answers in ${fixtures}; set WEFT_SHARED to where ../shared is`,
      );
      return;
    }
    const counts: Counts = { files: 0, whole: 0, noFrontend: 0 };
    const names = [...Deno.readDirSync(`${fixtures}/cases`)].map(({ name }) => name.replace(/\.yaml$/, ""));
    for (const name of names.sort()) checkFile(name, counts);
    console.log(
      `worked answers: ${counts.files} files; ${counts.whole} queries compared whole, ` +
        `${counts.noFrontend} without a frontend`,
    );
    assert.ok(counts.whole > 2000 && counts.noFrontend > 500, "the answers were looked at");
  });
});
