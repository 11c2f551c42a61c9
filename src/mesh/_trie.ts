/**
 * The nodes of a hash trie (private to this folder; `persistent_map.ts` is its door).
 *
 * Five bits of a key's hash choose a child at each level. The shape depends on the contents alone, never on the
 * order of edits: a branch that is left with a single leaf gives way to that leaf. So equal contents have equal
 * shapes, and whatever two versions of a map share is found by comparing nodes by identity.
 */

/** Classes, as there are hundreds of thousands: what kind of node each is stands in its prototype. */
export class Leaf<V> {
  constructor(readonly hash: number, readonly key: string, readonly value: V) {}

  get kind(): "leaf" {
    return "leaf";
  }
}

/** Two or more keys with the same hash. */
export class Collision<V> {
  constructor(readonly hash: number, readonly leaves: readonly Leaf<V>[]) {}

  get kind(): "collision" {
    return "collision";
  }
}

export class Branch<V> {
  /**
   * @param bitmap bit n: there is a child for the hash bits n
   * @param children those that exist, in the order of their bits
   * @param owner the edit that made this node, the only one that may still change it in place
   */
  constructor(public bitmap: number, public children: Node<V>[], readonly owner: Edit) {}

  get kind(): "branch" {
    return "branch";
  }
}

export type Node<V> = Leaf<V> | Collision<V> | Branch<V>;

/** One edit, or all those of one draft; compared by identity. */
export interface Edit {
  /** How many keys the trie has so far. */
  size: number;
}

/** One key whose value differs between two tries; `undefined` where a side has no such key. */
export interface Change<V> {
  readonly key: string;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

const bitsPerLevel = 5;

/** The bit of a hash at a level; `shift` is 0 at the root and grows by `bitsPerLevel`. */
function bitOf(hash: number, shift: number): number {
  return 1 << ((hash >>> shift) & 31);
}

/** How many bits of `bitmap` below `bit` are set: the place of `bit`'s child. */
function placeOf(bitmap: number, bit: number): number {
  let bits = bitmap & (bit - 1);
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function findLeaf<V>(root: Node<V> | null, hash: number, key: string): Leaf<V> | undefined {
  let node = root;
  for (let shift = 0; node !== null; shift += bitsPerLevel) {
    if (node.kind === "leaf") return node.key === key ? node : undefined;
    if (node.kind === "collision") return node.leaves.find((leaf) => leaf.key === key);
    const bit: number = bitOf(hash, shift);
    if ((node.bitmap & bit) === 0) return undefined;
    node = node.children[placeOf(node.bitmap, bit)];
  }
  return undefined;
}

/**
 * `node` with `leaf` in it, in the place of the leaf with the same key if there is one; the very same node where
 * that one has the same value.
 */
export function insertLeaf<V>(
  node: Node<V> | null,
  leaf: Leaf<V>,
  owner: Edit,
  shift = 0,
): Node<V> {
  if (node === null) {
    owner.size++;
    return leaf;
  }
  if (node.kind === "branch") {
    const bit = bitOf(leaf.hash, shift);
    const place = placeOf(node.bitmap, bit);
    if ((node.bitmap & bit) === 0) {
      owner.size++;
      return withChildAdded(node, bit, place, leaf, owner);
    }
    const child = insertLeaf(node.children[place], leaf, owner, shift + bitsPerLevel);
    return withChild(node, place, child, owner);
  }
  if (node.hash !== leaf.hash) {
    owner.size++;
    return branchOfTwo(node, leaf, owner, shift);
  }
  const leaves = fewLeavesOf(node);
  const old = leaves.find((each) => each.key === leaf.key);
  if (old !== undefined && old.value === leaf.value) return node;
  if (old === undefined) owner.size++;
  else if (node.kind === "leaf") return leaf;
  return new Collision(leaf.hash, [...leaves.filter((each) => each !== old), leaf]);
}

/** `node` without the leaf with this key; the very same node where there is none, `null` where nothing is left. */
export function removeLeaf<V>(
  node: Node<V>,
  hash: number,
  key: string,
  owner: Edit,
  shift = 0,
): Node<V> | null {
  if (node.kind !== "branch") {
    const leaves = fewLeavesOf(node).filter((leaf) => leaf.key !== key);
    if (leaves.length === fewLeavesOf(node).length) return node;
    owner.size--;
    if (leaves.length === 0) return null;
    return leaves.length === 1 ? leaves[0] : new Collision(hash, leaves);
  }
  const bit = bitOf(hash, shift);
  if ((node.bitmap & bit) === 0) return node;
  const place = placeOf(node.bitmap, bit);
  const child = removeLeaf(node.children[place], hash, key, owner, shift + bitsPerLevel);
  if (child === null) {
    if (node.children.length > 2) return withChildRemoved(node, bit, place, owner);
    const other = node.children[1 - place];
    if (other.kind !== "branch") return other;
    return withChildRemoved(node, bit, place, owner);
  }
  if (node.children.length === 1 && child.kind !== "branch") return child;
  return withChild(node, place, child, owner);
}

/** All leaves, in no order that means anything. */
export function* leavesOf<V>(root: Node<V> | null): Generator<Leaf<V>, void> {
  const stack: Node<V>[] = root === null ? [] : [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.kind === "leaf") yield node;
    else if (node.kind === "collision") yield* node.leaves;
    else for (const child of node.children) stack.push(child);
  }
}

/** As `leavesOf`, in a third of the time. */
export function eachLeaf<V>(node: Node<V> | null, visit: (leaf: Leaf<V>) => void): void {
  if (node === null) return;
  if (node.kind === "leaf") visit(node);
  else if (node.kind === "collision") node.leaves.forEach(visit);
  else for (const child of node.children) eachLeaf(child, visit);
}

/** Every key whose value differs; nodes that both tries share are not looked into. */
export function* changesBetween<V>(
  before: Node<V> | null,
  after: Node<V> | null,
): Generator<Change<V>, void> {
  if (before === after) return;
  const stack: { a: Node<V> | null; b: Node<V> | null; shift: number }[] = [{
    a: before,
    b: after,
    shift: 0,
  }];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const { a, b, shift } = pair;
    if (a?.kind === "leaf" && b?.kind === "leaf" && a.key === b.key) {
      if (a.value !== b.value) yield { key: a.key, before: a.value, after: b.value };
      continue;
    }
    if (a?.kind !== "branch" && b?.kind !== "branch") {
      yield* changesOfFew(fewLeavesOf(a), fewLeavesOf(b));
      continue;
    }
    let bits = bitmapOf(a, shift) | bitmapOf(b, shift);
    while (bits !== 0) {
      const bit = bits & -bits;
      bits ^= bit;
      const childOfA = childOf(a, bit, shift);
      const childOfB = childOf(b, bit, shift);
      if (childOfA !== childOfB) stack.push({ a: childOfA, b: childOfB, shift: shift + bitsPerLevel });
    }
  }
}

function* changesOfFew<V>(before: readonly Leaf<V>[], after: readonly Leaf<V>[]): Generator<Change<V>, void> {
  for (const { key, value } of before) {
    const other = after.find((leaf) => leaf.key === key);
    if (other?.value !== value) yield { key, before: value, after: other?.value };
  }
  for (const { key, value } of after) {
    if (!before.some((leaf) => leaf.key === key)) yield { key, before: undefined, after: value };
  }
}

function fewLeavesOf<V>(node: Leaf<V> | Collision<V> | null): readonly Leaf<V>[] {
  if (node === null) return [];
  return node.kind === "leaf" ? [node] : node.leaves;
}

/** The children that a node has at a level; a leaf or collision stands for a branch that holds only it. */
function bitmapOf<V>(node: Node<V> | null, shift: number): number {
  if (node === null) return 0;
  return node.kind === "branch" ? node.bitmap : bitOf(node.hash, shift);
}

function childOf<V>(node: Node<V> | null, bit: number, shift: number): Node<V> | null {
  if ((bitmapOf(node, shift) & bit) === 0) return null;
  return node?.kind === "branch" ? node.children[placeOf(node.bitmap, bit)] : node;
}

/** A branch at this level that holds two nodes of different hashes. */
function branchOfTwo<V>(
  one: Leaf<V> | Collision<V>,
  two: Leaf<V>,
  owner: Edit,
  shift: number,
): Branch<V> {
  const bitOne = bitOf(one.hash, shift);
  const bitTwo = bitOf(two.hash, shift);
  if (bitOne === bitTwo) {
    const child = branchOfTwo(one, two, owner, shift + bitsPerLevel);
    return new Branch(bitOne, [child], owner);
  }
  const oneFirst = placeOf(bitOne | bitTwo, bitOne) === 0;
  return new Branch(bitOne | bitTwo, oneFirst ? [one, two] : [two, one], owner);
}

/** The node itself where the edit `owner` made it, else a copy that it may change. */
function editable<V>(node: Branch<V>, owner: Edit): Branch<V> {
  if (node.owner === owner) return node;
  return new Branch(node.bitmap, node.children.slice(), owner);
}

function withChild<V>(node: Branch<V>, place: number, child: Node<V>, owner: Edit): Branch<V> {
  if (node.children[place] === child) return node;
  const copy = editable(node, owner);
  copy.children[place] = child;
  return copy;
}

function withChildAdded<V>(
  node: Branch<V>,
  bit: number,
  place: number,
  child: Node<V>,
  owner: Edit,
): Branch<V> {
  // An array that grows in place keeps room for sixteen more, and most branches have three children.
  const children = new Array<Node<V>>(node.children.length + 1);
  for (let i = 0; i < place; i++) children[i] = node.children[i];
  children[place] = child;
  for (let i = place; i < node.children.length; i++) children[i + 1] = node.children[i];
  const bitmap = node.bitmap | bit;
  if (node.owner !== owner) return new Branch(bitmap, children, owner);
  node.bitmap = bitmap;
  node.children = children;
  return node;
}

function withChildRemoved<V>(node: Branch<V>, bit: number, place: number, owner: Edit): Branch<V> {
  const copy = editable(node, owner);
  copy.bitmap &= ~bit;
  copy.children.splice(place, 1);
  return copy;
}
