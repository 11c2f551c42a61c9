import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Service, serviceKey } from "../../src/mesh/model.ts";
import { ownerOf } from "../../src/mesh/owners.ts";
import { service } from "./_mesh.ts";

/** Reads `namespace/hostname`, followed by `+` where canonical and `-` where only its namespace sees it. */
function claimant(text: string): Service {
  return service(text.replace(/[+-]+$/, ""), [], {
    canonical: text.includes("+"),
    visibility: text.includes("-") ? "Namespace" : "Public",
  });
}

const cases: { why: string; claimants: string[]; owner: string | undefined }[] = [
  { why: "nobody claims it", claimants: [], owner: undefined },
  { why: "one claims it", claimants: ["a/one"], owner: "a/one" },
  { why: "one claims it that others do not see", claimants: ["a/one-"], owner: undefined },
  { why: "the first, where none is canonical", claimants: ["a/one", "b/two", "c/three"], owner: "a/one" },
  { why: "the canonical one, wherever it stands", claimants: ["a/one", "b/two+", "c/three"], owner: "b/two" },
  { why: "of several canonical ones the last", claimants: ["a/one+", "b/two", "c/three+"], owner: "c/three" },
  { why: "within one namespace the last", claimants: ["a/one", "a/two"], owner: "a/two" },
  { why: "within one namespace the last, canonical or not", claimants: ["a/one+", "a/two"], owner: "a/two" },
  {
    why: "a canonical one behind another of its namespace no longer wins against other namespaces",
    claimants: ["a/one+", "b/two", "a/three"],
    owner: "a/three",
  },
  {
    why: "a namespace's last stands where its first stood",
    claimants: ["a/one", "b/two", "a/three"],
    owner: "a/three",
  },
  {
    why: "the place counts for canonical ones too",
    claimants: ["a/one", "b/two+", "a/three+"],
    owner: "b/two",
  },
  { why: "an unseen one loses to a seen one", claimants: ["a/one-", "b/two"], owner: "b/two" },
  { why: "an unseen canonical one loses as well", claimants: ["a/one", "b/two+-"], owner: "a/one" },
  {
    why: "an unseen one hides the one before it in its namespace",
    claimants: ["a/one", "a/two-"],
    owner: undefined,
  },
  { why: "then another namespace owns it", claimants: ["a/one+", "b/two", "a/three-"], owner: "b/two" },
  { why: "a seen one after an unseen one of its namespace", claimants: ["a/one-", "a/two"], owner: "a/two" },
];

describe("ownerOf", () => {
  for (const { why, claimants, owner } of cases) {
    it(`${why}: ${claimants.join(", ") || "(none)"}`, () => {
      const found = ownerOf(claimants.map(claimant));
      assert.equal(found && serviceKey(found), owner);
    });
  }
});
