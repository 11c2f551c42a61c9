/** `explain` against the worked answers of ../shared/fixtures/ranks (its README says what a query's fields mean). */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import { explain, parseDestination } from "../../src/explain/mod.ts";
import { emptySnapshot, replaceMesh } from "../../src/mesh/mod.ts";

interface Query {
  readonly compare?: boolean;
  readonly dst: string;
  readonly service: string | null;
  readonly source: Readonly<
    Record<"network" | "region" | "zone" | "subzone" | "node" | "clusterId", string>
  >;
  readonly outcome: string;
  readonly endpoints: readonly {
    readonly uid: string;
    readonly address: string;
    readonly port: number;
    readonly share: string;
  }[];
}

const shared = Deno.env.get("WEFT_SHARED") ?? new URL("../../../shared", import.meta.url).pathname;
const fixtures = `${shared}/fixtures/ranks`;

/** Compares all queries of one file. @returns how many there were */
function checkFile(name: string): number {
  const queries: Query[] = JSON.parse(Deno.readTextFileSync(`${fixtures}/expected/${name}.json`));
  const compared = queries.filter((query) => query.compare !== false);
  const file = `${name}.yaml`;
  let mesh;
  try {
    mesh = parseMesh(Deno.readTextFileSync(`${fixtures}/cases/${file}`), file).mesh;
  } catch (error) {
    if (!(error instanceof MeshFileError)) throw error;
    assert.ok(
      compared.every(({ outcome }) => outcome === "invalid-file"),
      `${file} is refused: ${error.message}`,
    );
    return compared.length;
  }
  const snapshot = replaceMesh(emptySnapshot(), mesh);
  for (const query of compared) {
    const { network, region, zone, subzone, node, clusterId } = query.source;
    const actual = explain(parseDestination(query.dst)!, {
      snapshot,
      place: { network, node, clusterId, locality: { region, zone, subzone } },
      protocol: "TCP",
      workloads: mesh.workloads,
    });
    const byUid = (a: { uid: string }, b: { uid: string }) => a.uid < b.uid ? -1 : 1;
    assert.deepEqual(
      {
        outcome: actual.outcome,
        service: actual.service,
        endpoints: actual.endpoints.map(({ uid, address, port, share }) => ({ uid, address, port, share }))
          .sort(byUid),
      },
      {
        outcome: query.outcome,
        service: query.service,
        endpoints: query.endpoints.map(({ uid, address, port, share }) => ({ uid, address, port, share }))
          .sort(byUid),
      },
      `${file}: ${JSON.stringify(query)}: ${JSON.stringify(actual)}`,
    );
  }
  return compared.length;
}

describe("explain and the worked answers", () => {
  it("agree on owners, outcomes, endpoints and shares", () => {
    if (!existsSync(fixtures)) {
      console.warn(
        `SKIPPED: there are no worked answers in ${fixtures}; set WEFT_SHARED to where ../shared is`,
      );
      return;
    }
    const names = [...Deno.readDirSync(`${fixtures}/cases`)].map(({ name }) => name.replace(/\.yaml$/, ""));
    const count = names.sort().reduce((sum, name) => sum + checkFile(name), 0);
    console.log(`worked answers: ${names.length} files, ${count} queries compared`);
    assert.ok(count > 1000, "the answers were looked at");
  });
});
