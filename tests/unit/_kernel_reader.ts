/** What a connection finds: the steps of bpf/lb.h on a fake kernel's bytes, for every choice that it could make at random. */

import { workload } from "../../ffi/mod.ts";
import { frontendTag } from "../../src/dataplane/frontend_tag.ts";
import { addressToBytes } from "../../src/mesh/mod.ts";
import { byteString, type FakeKernel, type FakeMap, u32Key } from "./_fake_kernel.ts";

/** Where an application connects to. */
export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly protocol: 6 | 17;
}

/** What happens to the connection; `places` are those that it can be sent to, as `placeOf` writes them. */
export type Answer =
  | { readonly kind: "leave" | "refuse" }
  | { readonly kind: "balance"; readonly places: ReadonlySet<string> };

/** An endpoint's address and port, as the kernel has them. */
export function placeOf(address: string, port: number): string {
  return byteString(addressToBytes(address)) + String.fromCharCode(port >> 8, port & 0xff);
}

/** How far a connection has come: what it has read, and may act on however long ago that was. */
export type Step =
  | { readonly at: "missing frontend" }
  | { readonly at: "frontend of the VIP"; readonly id: number }
  | { readonly at: "service port"; readonly id: number }
  | { readonly at: "tier"; readonly word: string; readonly slot: number; readonly count: number }
  | { readonly at: "record"; readonly record: FakeMap; readonly count: number }
  | { readonly at: "endpoint"; readonly index: number };

interface ServiceWords {
  readonly flags: number;
  readonly word: string;
  readonly slot: number;
  readonly count: number;
}

interface Keys {
  readonly own: string;
  readonly ownTag: number;
  readonly all: string;
  readonly allTag: number;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function keyOf(address: string, port: number, protocol: number): { key: string; tag: number } {
  const value = { address: addressToBytes(address), port, protocol };
  const bytes = new Uint8Array(workload.frontendKey.size);
  workload.frontendKey.write(view(bytes), 0, value);
  return { key: byteString(bytes), tag: frontendTag(value) };
}

function rowsOf(count: number): number {
  const { TIER_WEIGHTED, TIER_MAPPED } = workload.tierFlag;
  return (count & ~(TIER_WEIGHTED | TIER_MAPPED)) >>> 0;
}

export interface KernelReader {
  /** What a connection that starts now finds. @throws {Error} where it would find something that is not there */
  answer(to: Destination): Answer;
  /** What a connection finds that has come as far as `step` some time ago. */
  proceed(to: Destination, step: Step): Answer;
  /** How far a connection can have come now, each way. */
  steps(to: Destination): Step[];
  /** The service port that a connection finds. */
  servicePort(to: Destination): number | undefined;
}

export function createKernelReader(kernel: FakeKernel): KernelReader {
  const [frontends, lines, services, records, endpoints] = [
    "frontends",
    "frontend_lines",
    "services",
    "records",
    "endpoints",
  ].map((name) => kernel.map(name));
  const keys = new Map<Destination, Keys>();
  // What has been read already: there are thousands of writes, and each changes little.
  const knownIndexes = new Map<string, { version: number; indexes: Set<number> }>();
  const knownServicePorts = new WeakMap<Uint8Array, ServiceWords>();
  const knownPlaces = new WeakMap<Uint8Array, string>();
  const knownAnswers = new Map<string, Answer>();
  let endpointsVersion = 0;

  function keysOf(to: Destination): Keys {
    const known = keys.get(to);
    if (known) return known;
    const own = keyOf(to.address, to.port, to.protocol);
    const all = keyOf(to.address, 0, 0);
    const made = { own: own.key, ownTag: own.tag, all: all.key, allTag: all.tag };
    keys.set(to, made);
    return made;
  }

  function find(key: string, tag: number): number | undefined {
    const value = frontends.values.get(key);
    if (!value) return undefined;
    const frontend = workload.frontend.read(view(value), 0);
    if (frontend.tag !== (tag ^ Math.imul(frontend.servicePort, 0x9e3779b1)) >>> 0) {
      throw new Error("a frontend's word has another key's or another id's tag");
    }
    return frontend.servicePort;
  }

  /** First in the key's line, where what does not fit together is not believed. */
  function findPort(key: string, tag: number): number | undefined {
    const line = lines.values.get(u32Key(tag & (lines.maxEntries - 1)));
    for (const way of line ? [line.subarray(0, 32), line.subarray(32)] : []) {
      if (byteString(way.subarray(0, workload.frontendKey.size)) !== key) continue;
      const { frontend } = workload.frontendWay.read(view(way), 0);
      if (frontend.tag === (tag ^ Math.imul(frontend.servicePort, 0x9e3779b1)) >>> 0) {
        return frontend.servicePort;
      }
    }
    return find(key, tag);
  }

  function servicePort(to: Destination): number | undefined {
    const { own, ownTag, all, allTag } = keysOf(to);
    return findPort(own, ownTag) ?? find(all, allTag);
  }

  function readTier(id: number): ServiceWords {
    const value = services.values.get(u32Key(id));
    if (!value) throw new Error(`a frontend names service port ${id}, which was never written`);
    const known = knownServicePorts.get(value);
    if (known) return known;
    const { flags, tier } = workload.servicePort.read(view(value), 0);
    const words = { flags, word: `${tier.slot}|${tier.count}`, ...tier };
    knownServicePorts.set(value, words);
    return words;
  }

  function recordIn(slot: number): FakeMap {
    const mapIn = (slot: number) => {
      const id = records.values.get(u32Key(slot));
      return id && kernel.maps.get(view(id).getUint32(0, true));
    };
    const record = mapIn(slot);
    if (!record) throw new Error(`a tier names slot ${slot}, which holds nothing`);
    if (record === mapIn(0)) throw new Error(`a tier names slot ${slot}, whose record is freed`);
    return record;
  }

  /** Every endpoint index that a record can give. */
  function indexes(record: FakeMap, count: number): Set<number> {
    const key = `${record.id}|${count}`;
    const known = knownIndexes.get(key);
    if (known?.version === record.version) return known.indexes;
    const indexes = readIndexes(record, count);
    knownIndexes.set(key, { version: record.version, indexes });
    return indexes;
  }

  function readIndexes(record: FakeMap, count: number): Set<number> {
    const { TIER_WEIGHTED } = workload.tierFlag;
    const length = (count & TIER_WEIGHTED) === 0 ? rowsOf(count) : rowsOf(count) * 2;
    if (length > record.maxEntries) {
      throw new Error(`a tier has ${length} entries in a record of ${record.maxEntries}`);
    }
    const found = new Set<number>();
    for (let position = 0; position < length; position++) {
      const entry = record.values.get(u32Key(position));
      if (!entry) throw new Error(`entry ${position} of a record was never written`);
      found.add(view(entry).getUint32(4, true));
    }
    return found;
  }

  function placeAt(index: number): string {
    const value = endpoints.values.get(u32Key(index));
    const known = value && knownPlaces.get(value);
    if (known !== undefined) return known;
    if (!value || workload.endpoint.read(view(value), 0).generation === 0) {
      throw new Error(`a record names endpoint ${index}, which was never written`);
    }
    const place = byteString(value.subarray(0, 18));
    knownPlaces.set(value, place);
    return place;
  }

  function places(record: FakeMap, count: number): Answer {
    if (endpointsVersion !== endpoints.version) knownAnswers.clear();
    endpointsVersion = endpoints.version;
    const key = `${record.id}|${record.version}|${count}`;
    const known = knownAnswers.get(key);
    if (known) return known;
    const answer: Answer = {
      kind: "balance",
      places: new Set([...indexes(record, count)].map(placeAt)),
    };
    knownAnswers.set(key, answer);
    return answer;
  }

  function judge(to: Destination, id: number): Answer {
    const { flags, slot, count } = readTier(id);
    if (flags & workload.serviceFlag.SERVICE_LEAVE) return { kind: "leave" };
    if (rowsOf(count) !== 0) return places(recordIn(slot), count);
    const left = to.protocol === 17 && !(count & workload.tierFlag.TIER_MAPPED);
    return { kind: left ? "leave" : "refuse" };
  }

  return {
    servicePort,
    answer: (to) => {
      const id = servicePort(to);
      return id === undefined ? { kind: "leave" } : judge(to, id);
    },
    steps: (to) => {
      const { own, ownTag, all, allTag } = keysOf(to);
      const [ownId, vipId] = [findPort(own, ownTag), find(all, allTag)];
      const steps: Step[] = [];
      if (ownId === undefined) steps.push({ at: "missing frontend" });
      if (ownId === undefined && vipId !== undefined) steps.push({ at: "frontend of the VIP", id: vipId });
      const id = ownId ?? vipId;
      if (id === undefined) return steps;
      const { word, slot, count } = readTier(id);
      steps.push({ at: "service port", id });
      if (rowsOf(count) === 0) return steps;
      const record = recordIn(slot);
      steps.push({ at: "tier", word, slot, count }, { at: "record", record, count });
      for (const index of indexes(record, count)) steps.push({ at: "endpoint", index });
      return steps;
    },
    proceed: (to, step) => {
      const { own, ownTag, all, allTag } = keysOf(to);
      switch (step.at) {
        case "missing frontend": {
          const vipId = find(all, allTag);
          return vipId === undefined ? { kind: "leave" } : judge(to, findPort(own, ownTag) ?? vipId);
        }
        case "frontend of the VIP":
          return judge(to, findPort(own, ownTag) ?? step.id);
        case "service port":
          return judge(to, step.id);
        case "tier":
          return places(recordIn(step.slot), step.count);
        case "record":
          return places(step.record, step.count);
        case "endpoint":
          return { kind: "balance", places: new Set([placeAt(step.index)]) };
      }
    },
  };
}
