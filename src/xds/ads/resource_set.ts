/** What is held of one type: accepted resources, versions, rejections, and how its subscription on the present stream stands. */

import type { Collection, Rejection, StoredResource, TypeState } from "../protocol.ts";
import type { Received, Refusal } from "./read_resources.ts";
import type { ResourceType } from "./resource_types.ts";

/** An accepted resource. */
export interface Held<T> extends Received<T> {
  readonly version: string;
  readonly receivedAt: Date;
}

export interface ResourceSet<T> {
  readonly type: ResourceType<T>;
  /** By name. */
  readonly held: ReadonlyMap<string, Held<T>>;
  /** Of the newest accepted response; "" before the first one. Outlives streams. */
  readonly version: string;
  /** Of the newest response on this stream, accepted or not; "" before the first one. */
  readonly nonce: string;
  /** What is held, by digest. */
  readonly byDigest: ReadonlyMap<string, T>;
  readonly collection: Collection;
  readonly state: TypeState;
  readonly rejections: readonly Rejection[];
  /** A new stream begins: its nonces are new. */
  forgetNonce(): void;
  /** A response came. */
  count(nonce: string, now: Date): void;
  /** How long the newest accepted response took. */
  timed(took: TypeState["took"]): void;
  /** @returns the names of what is new, different or gone */
  accept(received: Iterable<Received<T>>, version: string, now: Date): string[];
  /** @param wanted the names that are asked for: what was refused of others before is forgotten */
  reject(refusals: readonly Refusal[], version: string, now: Date, wanted: ReadonlySet<string>): void;
  /** Forgets all but these names. */
  keepOnly(names: ReadonlySet<string>): void;
}

export function createResourceSet<T>(type: ResourceType<T>): ResourceSet<T> {
  const held = new Map<string, Held<T>>();
  const byDigest = new Map<string, T>();
  const rejections = new Map<string, Rejection>();
  let version = "";
  let nonce = "";
  let lastReceived: Date | undefined;
  let responses = 0;
  let nacks = 0;
  let took: TypeState["took"];
  const remove = (name: string) => {
    const old = held.get(name);
    if (old === undefined) return false;
    byDigest.delete(old.digest);
    return held.delete(name);
  };
  return {
    type,
    held,
    byDigest,
    get version() {
      return version;
    },
    get nonce() {
      return nonce;
    },
    collection: {
      name: type.collection,
      shape: type.shape,
      get size() {
        return held.size;
      },
      *resources(): Iterable<StoredResource> {
        for (const { name, version, receivedAt, value } of held.values()) {
          yield { name, version, receivedAt, json: () => type.json(value) };
        }
      },
    },
    get state() {
      return { typeUrl: type.typeUrl, resources: held.size, version, lastReceived, responses, nacks, took };
    },
    get rejections() {
      return [...rejections.values()];
    },
    forgetNonce: () => {
      nonce = "";
    },
    count: (newNonce, now) => {
      nonce = newNonce;
      lastReceived = now;
      responses++;
    },
    timed: (newest) => {
      took = newest;
    },
    accept: (received, newVersion, now) => {
      version = newVersion;
      const gone = new Set(type.byName ? [] : held.keys());
      const changed: string[] = [];
      for (const one of received) {
        if (held.get(one.name)?.value !== one.value) changed.push(one.name);
        remove(one.name);
        held.set(one.name, { ...one, version, receivedAt: now });
        byDigest.set(one.digest, one.value);
        rejections.delete(one.name);
        gone.delete(one.name);
      }
      for (const name of gone) remove(name);
      // What came whole, or had no name to be told apart by: a later good response ends it.
      if (type.byName) rejections.delete("");
      else rejections.clear();
      return [...changed, ...gone];
    },
    reject: (refusals, refused, now, wanted) => {
      nacks++;
      // A response that should be whole speaks of everything.
      for (const name of rejections.keys()) if (!type.byName || !wanted.has(name)) rejections.delete(name);
      for (const { name, reason } of refusals) {
        rejections.set(name, { typeUrl: type.typeUrl, name, version: refused, reason, at: now });
      }
    },
    keepOnly: (names) => {
      for (const name of [...held.keys()]) if (!names.has(name)) remove(name);
      for (const name of [...rejections.keys()]) if (name !== "" && !names.has(name)) rejections.delete(name);
    },
  };
}
