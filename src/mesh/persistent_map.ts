/** An immutable map whose versions share what they have in common. */

import {
  type Change,
  changesBetween,
  eachLeaf,
  type Edit,
  findLeaf,
  insertLeaf,
  Leaf,
  leavesOf,
  type Node,
  removeLeaf,
} from "./_trie.ts";
import { hashText } from "./hash_text.ts";

export type { Change };

/**
 * Text keys → values; no edit changes an existing map.
 *
 * `undefined` is not a value that can be stored. Iteration has no order that means anything.
 *
 * @example
 * ```ts
 * const one = emptyMap<number>().set("a", 1);
 * const two = one.set("b", 2); // `one` is as it was
 * [...diff(one, two)]; // [{ key: "b", before: undefined, after: 2 }]
 * ```
 */
export interface PersistentMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** This very map where `key` has this very value already. */
  set(key: string, value: V): PersistentMap<V>;
  /** This very map where there is no `key`. */
  delete(key: string): PersistentMap<V>;
  entries(): IteratorObject<[string, V]>;
  keys(): IteratorObject<string>;
  values(): IteratorObject<V>;
  /** As iterating over `entries`, and faster. */
  forEach(visit: (value: V, key: string) => void): void;
  /** A draft of this map's next version: what to use where many keys change at once. */
  draft(): MapDraft<V>;
}

/** A key with its value, made once and put into several maps: that saves time and memory. */
export type MapEntry<V> = Leaf<V>;

/** An entry for maps with the default hash; others take it too, but gain nothing. */
export function entryOf<V>(key: string, value: V): MapEntry<V> {
  return new Leaf(hashText(key), key, value);
}

/** The next version of a map while it is being made: edits happen in place. */
export interface MapDraft<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  /** The value that is there under an entry's key. */
  valueAt(entry: MapEntry<unknown>): V | undefined;
  /** As `set` of the entry's key and value. */
  put(entry: MapEntry<V>): void;
  delete(key: string): void;
  /**
   * The finished version; the very map that the draft was made of where no edit changed anything.
   * The draft must not be edited afterwards (it throws).
   */
  finish(): PersistentMap<V>;
}

/** How a key becomes the 32 bits that place it in the trie. */
type Hash = (key: string) => number;

class TrieMap<V> implements PersistentMap<V> {
  constructor(readonly root: Node<V> | null, readonly size: number, readonly hash: Hash) {}

  get(key: string): V | undefined {
    return findLeaf(this.root, this.hash(key), key)?.value;
  }

  has(key: string): boolean {
    return findLeaf(this.root, this.hash(key), key) !== undefined;
  }

  set(key: string, value: V): PersistentMap<V> {
    const edit = { size: this.size };
    const root = insertLeaf(this.root, new Leaf(this.hash(key), key, value), edit);
    return root === this.root ? this : new TrieMap(root, edit.size, this.hash);
  }

  delete(key: string): PersistentMap<V> {
    const edit = { size: this.size };
    const root = this.root && removeLeaf(this.root, this.hash(key), key, edit);
    return root === this.root ? this : new TrieMap(root, edit.size, this.hash);
  }

  *entries(): Generator<[string, V]> {
    for (const { key, value } of leavesOf(this.root)) yield [key, value];
  }

  *keys(): Generator<string> {
    for (const { key } of leavesOf(this.root)) yield key;
  }

  *values(): Generator<V> {
    for (const { value } of leavesOf(this.root)) yield value;
  }

  forEach(visit: (value: V, key: string) => void): void {
    eachLeaf(this.root, ({ key, value }) => visit(value, key));
  }

  draft(): MapDraft<V> {
    return new TrieDraft(this);
  }
}

/** A class, as each edit of a mesh makes some ten drafts. */
class TrieDraft<V> implements MapDraft<V> {
  readonly #map: TrieMap<V>;
  readonly #edit: Edit;
  #root: Node<V> | null;
  #finished = false;

  constructor(map: TrieMap<V>) {
    this.#map = map;
    this.#edit = { size: map.size };
    this.#root = map.root;
  }

  get size(): number {
    return this.#edit.size;
  }

  get(key: string): V | undefined {
    return findLeaf(this.#root, this.#map.hash(key), key)?.value;
  }

  set(key: string, value: V): void {
    this.#insert(new Leaf(this.#map.hash(key), key, value));
  }

  valueAt({ hash, key }: MapEntry<unknown>): V | undefined {
    return findLeaf(this.#root, this.#map.hash === hashText ? hash : this.#map.hash(key), key)?.value;
  }

  put(entry: MapEntry<V>): void {
    this.#insert(
      this.#map.hash === hashText ? entry : new Leaf(this.#map.hash(entry.key), entry.key, entry.value),
    );
  }

  delete(key: string): void {
    this.#assertOpen();
    this.#root = this.#root && removeLeaf(this.#root, this.#map.hash(key), key, this.#edit);
  }

  finish(): PersistentMap<V> {
    this.#assertOpen();
    this.#finished = true;
    const { root, hash } = this.#map;
    return this.#root === root ? this.#map : new TrieMap(this.#root, this.#edit.size, hash);
  }

  #insert(leaf: Leaf<V>): void {
    this.#assertOpen();
    this.#root = insertLeaf(this.#root, leaf, this.#edit);
  }

  #assertOpen(): void {
    if (!this.#finished) return;
    throw new Error("this draft is finished; make a new one of the map that finish() gave");
  }
}

/**
 * A map without entries.
 *
 * @param hash of two keys that are equal must be equal; another one than the default is for tests.
 */
export function emptyMap<V>(hash: Hash = hashText): PersistentMap<V> {
  return new TrieMap<V>(null, 0, hash);
}

/** A map of these entries; of several with one key the last counts. */
export function mapOf<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
  const draft = emptyMap<V>().draft();
  for (const [key, value] of entries) draft.set(key, value);
  return draft.finish();
}

/**
 * The entries that differ between two maps, values compared by identity.
 *
 * Costs what changed since one was made from the other, whatever their size: shared parts are skipped.
 */
export function diff<V>(before: PersistentMap<V>, after: PersistentMap<V>): IterableIterator<Change<V>> {
  if (!(before instanceof TrieMap) || !(after instanceof TrieMap) || before.hash !== after.hash) {
    throw new TypeError("diff needs two maps that were both made by emptyMap or mapOf, with the same hash");
  }
  return changesBetween<V>(before.root, after.root);
}
