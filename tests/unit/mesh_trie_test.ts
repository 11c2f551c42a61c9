import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { insertLeaf, Leaf, type Node, removeLeaf } from "../../src/mesh/_trie.ts";
import { hashText } from "../../src/mesh/mod.ts";
import { randomFrom } from "./_random.ts";

/** A node as nested lists of keys: what two tries of one shape have in common. */
function shapeOf(node: Node<number> | null): unknown {
  if (node === null) return null;
  if (node.kind === "leaf") return node.key;
  if (node.kind === "collision") return new Set(node.leaves.map((leaf) => leaf.key));
  return { bitmap: node.bitmap, children: node.children.map(shapeOf) };
}

type Hash = (key: string) => number;

function trieOf(keys: Iterable<string>, hashOf: Hash): Node<number> | null {
  const edit = { size: 0 };
  let root: Node<number> | null = null;
  for (const key of keys) root = insertLeaf(root, new Leaf(hashOf(key), key, 0), edit);
  return root;
}

const hashes: { name: string; hashOf: Hash }[] = [
  { name: "the default hash", hashOf: hashText },
  { name: "hashes that differ late, and collide", hashOf: (key) => hashText(key) & 0xc0000003 },
];

describe("a trie", () => {
  for (const { name, hashOf } of hashes) {
    it(`has one shape for one set of keys, however it came about: ${name}`, () => {
      const random = randomFrom(1);
      const keys = new Set<string>();
      let root: Node<number> | null = null;
      let size = 0;
      for (let i = 0; i < 3000; i++) {
        const key = `k${Math.floor(random() * 40)}`;
        const hash = hashOf(key);
        const edit = { size };
        if (random() < 0.5) {
          keys.add(key);
          root = insertLeaf(root, new Leaf(hash, key, 0), edit);
        } else {
          keys.delete(key);
          root = root && removeLeaf(root, hash, key, edit);
        }
        size = edit.size;
        assert.equal(size, keys.size);
        assert.deepEqual(shapeOf(root), shapeOf(trieOf(keys, hashOf)));
      }
    });
  }
});
