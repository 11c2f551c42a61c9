/** The mesh file's reader against every file of ../shared/fixtures/ranks: which are to be refused, and why. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import { sharedDirectory } from "../kit/shared.ts";

interface Query {
  readonly outcome: string;
  readonly why?: string;
}

/** What the error of a file that is to be refused has to say. */
const reasons: Readonly<Record<string, RegExp>> = {
  e89:
    /:8:39: services\[0\]\.loadBalancer\.routingPreferences\[0\]: expected one of Region, .*, found "REGION"/,
  e90: /:8:17: services\[0\]\.loadBalancer: missing key "healthPolicy"/,
  e91: /:6:13: workloads\[0\]\.locality: missing key "zone"/,
  e93: /:7:3: workloads\[0\]\.weight: unknown key "weight"/,
  e94: /:6:10: services\[0\]\.vips\[0\]: expected "network\/ip".*, found "10\.96\.0\.1"/,
  e95: /:7:5: workloads\[0\]\.services\["web\.shop\.mesh\.test"\]: expected "namespace\/hostname" as key/,
  e96: /:7:15: services\[0\]\.ports\[80\]: expected an integer 0\.\.65535, found 80800/,
};

const sameIdentity =
  /: a second (workload with the uid|workload without a uid|service) .*, the first is \w+\[\d+\] in line \d+$/;

const shared = sharedDirectory("the mesh file's reader against fixtures/ranks");

describe("the mesh files of fixtures/ranks", { ignore: shared === undefined }, () => {
  const ranks = `${shared}/fixtures/ranks`;
  const names = shared === undefined
    ? []
    : readdirSync(`${ranks}/cases`).map((name) => name.replace(/\.yaml$/, "")).sort();

  for (const name of names) {
    const queries: Query[] = JSON.parse(readFileSync(`${ranks}/expected/${name}.json`, "utf8"));
    const text = readFileSync(`${ranks}/cases/${name}.yaml`, "utf8");
    const invalid = queries.some(({ outcome }) => outcome === "invalid-file");
    const twins = queries.some(({ why }) =>
      why?.startsWith("the same uid or service twice in the file") ?? false
    );

    if (!invalid && !twins) {
      it(`${name} is accepted`, () => {
        const { mesh } = parseMesh(text, name);
        // Every list item of these files begins with a dash in the first column.
        assert.equal(
          mesh.workloads.length + mesh.services.length + mesh.policies.length,
          text.match(/^- /gm)?.length ?? 0,
        );
      });
      continue;
    }
    it(`${name} is refused`, () => {
      assert.throws(() => parseMesh(text, name), (error) => {
        assert.ok(error instanceof MeshFileError, `expected a MeshFileError, got ${error}`);
        assert.match(error.message, twins ? sameIdentity : reasons[name] ?? /^\S+:\d+:\d+: /);
        return true;
      });
    });
  }
});
