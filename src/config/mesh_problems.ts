/** The one error that stands for whatever is wrong with a document: the problem that comes first in the file. */

import { distance } from "fastest-levenshtein";
import type { z } from "zod";
import { type MeshFileError, placeOf, problemAt } from "./mesh_file_error.ts";
import { type IssueParams, maxIssues } from "./yaml_schema.ts";
import { locate, locateKey, type Spot, type Step } from "./yaml_place.ts";
import type { YamlTree } from "./yaml_tree.ts";

/** The error for what the schema found. */
export function schemaError(tree: YamlTree, issues: readonly z.core.$ZodIssue[]): MeshFileError {
  const problems = issues.map((issue) => problemOf(tree, issue));
  const first = problems.reduce((least, problem) =>
    problem.spot.offset < least.spot.offset ? problem : least
  );
  const { offset, path } = first.spot;
  return problemAt(tree.source, offset, first.message + andMore(issues.length - 1), path);
}

/** How an error tells of further problems; reading stops at some number of them. */
function andMore(others: number): string {
  if (others === 0) return "";
  if (others >= maxIssues - 1) return ` (and ${maxIssues - 1} or more other problems)`;
  return ` (and ${others} other problem${others === 1 ? "" : "s"})`;
}

/** Where an issue is, and what it is in words. */
function problemOf(tree: YamlTree, issue: z.core.$ZodIssue): { spot: Spot; message: string } {
  const path = issue.path as Step[];
  const params = issue.code === "custom" ? issue.params as Partial<IssueParams> | undefined : undefined;
  if (params?.problem !== undefined) return keyProblem(tree, path, issue.message, params as IssueParams);
  const spot = locate(tree, path);
  if (spot.found !== undefined) return { spot, message: `expected ${issue.message}, found ${spot.found}` };
  return { spot, message: `missing key ${JSON.stringify(path.at(-1))}, expected ${issue.message}` };
}

function keyProblem(
  tree: YamlTree,
  path: readonly Step[],
  expected: string,
  params: IssueParams,
): { spot: Spot; message: string } {
  const spot = locateKey(tree, path, params.entry);
  switch (params.problem) {
    case "unknown key":
      return { spot, message: `unknown key ${spot.found}${advice(spot, params.known ?? [])}` };
    case "repeated key": {
      const first = placeOf(tree.source.text, locateKey(tree, path, params.first ?? 0).offset);
      return { spot, message: `the key ${spot.found} is here a second time, first in line ${first.line}` };
    }
    case "wrong key":
      return { spot, message: `expected ${expected}, found ${spot.found}` };
  }
}

/** The keys that someone who wrote another one may have meant. */
function advice(spot: Spot, known: readonly string[]): string {
  const written = (spot.found ?? "").replaceAll('"', "").toLowerCase();
  const near = known.filter((key) =>
    distance(key.toLowerCase().replaceAll("_", ""), written.replaceAll("_", "")) <= 2
  );
  return near.length > 0 ? `, did you mean ${near.join(" or ")}?` : `, expected one of ${known.join(", ")}`;
}
