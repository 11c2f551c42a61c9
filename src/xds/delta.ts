/**
 * The delta protocol: a control plane tells of each type what there is, and later only what has changed. Every type is
 * subscribed as a whole (a wildcard). It does no I/O; what resources mean is up to the types that it is given.
 *
 * Rules that it keeps (Envoy's xds_protocol document, and what istiod really does):
 * - Each response is answered once, with its nonce. Alone error_detail makes it a NACK.
 * - A resource that cannot be read or makes no sense is refused by name; the rest of its response is applied. Its last good version
 *   stays in force, and is not told when the stream is opened anew, so that it comes again.
 * - A removed name that nobody has does nothing: it may be an alias of a resource that stays.
 * - What was not told when the stream was opened, and is not in the type's first response either, has gone.
 * - A response of a type that was not asked for is not answered: an answer would subscribe to it.
 */

import { Buffer } from "node:buffer";
import {
  type DeltaDiscoveryRequest,
  deltaRequestType,
  type Envelope,
  EnvelopeError,
  type Node,
  readEnvelope,
} from "./proto/mod.ts";
import type { Rejection, TypeState } from "./protocol.ts";
import { createResourceReader, createStaging } from "./delta_resource.ts";
import { packHollow, prepareHold } from "./hold.ts";
import type { HeldResource, SharedResponse } from "./held_resource.ts";
import { stepSize } from "../host/steps.ts";
import { type Pause, timedSlices } from "../host/slices.ts";

/** How the resources of one type are read. */
export interface DeltaType<V> {
  readonly typeUrl: string;
  /**
   * Begins to decode the resources of one response.
   *
   * @param bytes the whole response
   * @returns decodes the one in a range of it; throws a ResourceError where that makes no sense, another error where it cannot be read
   */
  decoder(bytes: Uint8Array): (name: string, start: number, end: number) => V;
}

/** What one response changes, of one type. */
export interface DeltaChanges<V> {
  readonly typeUrl: string;
  readonly upserts: readonly V[];
  /** Names of resources that are there and go. */
  readonly removals: readonly string[];
}

/** The state of the types of one connection, and the messages that move it. */
export interface DeltaMachine {
  /** @param pause as below */
  open(pause?: Pause): Promise<readonly Uint8Array[]>;
  /** @param pause called between small steps, and awaited */
  receive(bytes: Uint8Array, now: Date, pause?: Pause): Promise<readonly Uint8Array[]>;
  readonly complete: boolean;
  readonly types: readonly TypeState[];
  readonly rejections: readonly Rejection[];
  held(typeUrl: string): ReadonlyMap<string, HeldResource>;
}

export interface DeltaOptions<V> {
  /** Who asks. */
  readonly node: Partial<Node>;
  /** In the order in which they are subscribed. */
  readonly types: readonly DeltaType<V>[];
  /**
   * Prepares what a response changes, in slices. It must not fail.
   *
   * @returns makes it so, at once
   */
  readonly prepare: (changes: DeltaChanges<V>, pause: Pause) => Promise<() => void>;
  /**
   * The most bytes that the versions of one type may take when a stream is opened. Control planes limit what they receive (istiod:
   * 4 MiB); beyond this none are told, and everything comes again.
   *
   * @default 3 MiB
   */
  readonly maxVersionBytes?: number;
}

const fields = { version: 1, resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;

/** Resources of a response of so many are copied out of it; those of a larger one share it, as one of many such. */
const mostPacked = 1024;

/** Resources that are read between two looks at the clock: some 30 µs. */
const readAtOnce = 8;

/** Versions that are told in one go: some 2 ms. */
const versionsOfPart = 512;

/** google.rpc.Code.INVALID_ARGUMENT */
const invalidArgument = 3;

/** Refused resources that a NACK names. */
const maxNamed = 20;

/** What a stream's first request tells of what is held. */
interface ToldVersions {
  readonly names: ReadonlySet<string>;
  /** Requests that have nothing but versions. */
  readonly parts: readonly Uint8Array[];
}

interface TypeRecord<V> {
  readonly type: DeltaType<V>;
  held: Map<string, HeldResource>;
  /** The responses that what is held stands in. */
  readonly shared: Set<SharedResponse>;
  readonly rejected: Map<string, Rejection>;
  /** What the open stream's first request told; `undefined` from its first response on. Whatever else is known must be in that. */
  told: ReadonlySet<string> | undefined;
  version: string;
  lastReceived: Date | undefined;
  responses: number;
  nacks: number;
  took: TypeState["took"];
}

export function createDelta<V>(options: DeltaOptions<V>): DeltaMachine {
  const { node, prepare, maxVersionBytes = 3 * 2 ** 20 } = options;
  const records = new Map(options.types.map((type) => [type.typeUrl, emptyRecord(type)]));

  /** The type's first request on a stream. */
  async function subscribe(record: TypeRecord<V>, first: boolean, pause: Pause): Promise<Uint8Array> {
    const versions = await versionsOf(record, pause);
    record.told = versions.names;
    return Buffer.concat([request(record, first ? { node } : {}), ...versions.parts]);
  }

  /**
   * Of all that is held but what is refused now; none where they would take more than may be told. As parts of a request: messages of one
   * type that follow each other are one message (protobuf's encoding, "Last One Wins"), and one of 3 MiB takes 60 ms to make.
   */
  async function versionsOf(record: TypeRecord<V>, pause: Pause): Promise<ToldVersions> {
    const names = new Set<string>();
    const parts: Uint8Array[] = [];
    let size = 0;
    let part: [name: string, version: string][] = [];
    const endPart = () => {
      const bytes = deltaRequestType.encode({ initial_resource_versions: Object.fromEntries(part) });
      size += bytes.length;
      parts.push(bytes);
      part = [];
    };
    for (const [name, { version }] of record.held) {
      if (record.rejected.has(name)) continue;
      names.add(name);
      part.push([name, version]);
      if (part.length < versionsOfPart) continue;
      endPart();
      if (size > maxVersionBytes) break;
      const turn = pause();
      if (turn !== undefined) await turn;
    }
    endPart();
    return size > maxVersionBytes ? { names: new Set(), parts: [] } : { names, parts };
  }

  /** Each name once that a response says or implies is not there any more, whether or not it is known. */
  function* goneNames(
    { held, rejected, told }: TypeRecord<V>,
    removed: ReadonlySet<string>,
  ): Iterable<string> {
    yield* removed;
    if (told === undefined) return;
    for (const name of held.keys()) if (!told.has(name) && !removed.has(name)) yield name;
    for (const name of rejected.keys()) {
      if (!held.has(name) && !told.has(name) && !removed.has(name)) yield name;
    }
  }

  async function decode(
    record: TypeRecord<V>,
    bytes: Uint8Array,
    envelope: Envelope,
    now: Date,
    pause: Pause,
  ) {
    const staging = createStaging<V>();
    const { ranges } = envelope;
    const response: SharedResponse = { bytes, receivedAt: now, held: 0 };
    const shared = ranges.length / 2 > mostPacked;
    const read = createResourceReader(response, shared, record.type, staging);
    for (let i = 0; i < ranges.length; i += 2) {
      read(ranges[i], ranges[i + 1]);
      if (i % (2 * readAtOnce) !== 0) continue;
      const turn = pause();
      if (turn !== undefined) await turn;
    }
    const staged = staging.finish();
    if (!shared) return { ...staged, response: undefined };
    for (const { sharedBytes } of staged.accepted.values()) response.held += sharedBytes;
    return { ...staged, response };
  }

  async function apply(
    record: TypeRecord<V>,
    bytes: Uint8Array,
    envelope: Envelope,
    now: Date,
    pause: Pause,
  ) {
    const { typeUrl } = record.type;
    const began = performance.now();
    const { accepted, values, refusals, response } = await decode(record, bytes, envelope, now, pause);
    const decoded = performance.now();
    const isNamed = (name: string) => accepted.has(name) || refusals.has(name);
    const refused = [...refusals].map(([name, why]): Rejection => ({ typeUrl, name, ...why, at: now }));
    const removals: string[] = [];
    const settled = [...record.rejected.keys()].filter((name) => accepted.has(name));
    let looked = 0;
    for (const name of goneNames(record, new Set(envelope.removed))) {
      if (!isNamed(name)) {
        if (record.held.has(name)) removals.push(name);
        if (record.rejected.has(name)) settled.push(name);
      }
      const turn = ++looked % stepSize === 0 ? pause() : undefined;
      if (turn !== undefined) await turn;
    }
    const commit = await prepare({ typeUrl, upserts: values, removals }, pause);
    const commitHeld = await prepareHold(record.held, accepted, removals, pause);

    commit();
    record.held = commitHeld();
    for (const name of settled) record.rejected.delete(name);
    for (const rejection of refused) record.rejected.set(rejection.name, rejection);
    record.told = undefined;
    if (response !== undefined) record.shared.add(response);
    await packHollow(record.held, record.shared, pause);
    record.version = envelope.version;
    record.took = { decodeMs: decoded - began, storeMs: performance.now() - decoded };
    return refused;
  }

  return {
    open: async (pause = timedSlices()) => {
      const requests: Uint8Array[] = [];
      for (const record of records.values()) {
        requests.push(await subscribe(record, requests.length === 0, pause));
      }
      return requests;
    },
    receive: async (bytes, now, pause = timedSlices()) => {
      // A response may be a small part of a large buffer of the transport's, which what is kept of it would keep alive.
      // Not slice(): of a Buffer, which it is, that is a view.
      const own = bytes.byteLength * 2 < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
      let envelope: Envelope;
      try {
        envelope = await readEnvelope(own, fields, pause);
      } catch (error) {
        const record = error instanceof EnvelopeError ? records.get(error.typeUrl) : undefined;
        if (!(error instanceof EnvelopeError) || record === undefined || error.nonce === "") throw error;
        record.responses++;
        record.nacks++;
        return [answer(record, error.nonce, error.message)];
      }
      const record = records.get(envelope.typeUrl);
      if (record === undefined) return [];
      record.responses++;
      const refused = await apply(record, own, envelope, now, pause);
      record.lastReceived = now;
      if (refused.length === 0) return [answer(record, envelope.nonce)];
      record.nacks++;
      return [answer(record, envelope.nonce, describe(refused))];
    },
    get complete() {
      return [...records.values()].every(({ lastReceived }) => lastReceived !== undefined);
    },
    get types() {
      return [...records.values()].map(({ type, held, version, lastReceived, responses, nacks, took }) => ({
        typeUrl: type.typeUrl,
        resources: held.size,
        version,
        lastReceived,
        responses,
        nacks,
        took,
      }));
    },
    get rejections() {
      return [...records.values()].flatMap(({ rejected }) => [...rejected.values()]);
    },
    held: (typeUrl) => records.get(typeUrl)?.held ?? new Map(),
  };
}

function emptyRecord<V>(type: DeltaType<V>): TypeRecord<V> {
  return {
    type,
    held: new Map(),
    shared: new Set(),
    rejected: new Map(),
    told: undefined,
    version: "",
    lastReceived: undefined,
    responses: 0,
    nacks: 0,
    took: undefined,
  };
}

function request<V>(record: TypeRecord<V>, message: Partial<DeltaDiscoveryRequest>): Uint8Array {
  return deltaRequestType.encode({ type_url: record.type.typeUrl, ...message });
}

/** An ACK, or a NACK where there is a reason. */
function answer<V>(record: TypeRecord<V>, nonce: string, reason?: string): Uint8Array {
  const error_detail = reason === undefined ? null : { code: invalidArgument, message: reason };
  return request(record, { response_nonce: nonce, error_detail });
}

function describe(refused: readonly Rejection[]): string {
  const named = refused.slice(0, maxNamed).map(({ name, reason }) =>
    `${name || "a resource without a name"}: ${reason}`
  );
  return named.join("; ") +
    (refused.length > maxNamed ? `; and ${refused.length - maxNamed} more resources` : "");
}
