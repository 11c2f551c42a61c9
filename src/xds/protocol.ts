/**
 * What both variants of xDS have in common as seen by the stream that carries them: a machine that is fed messages and answers with
 * messages. It does no I/O and has no clock, so that every rule can be tested without either.
 */

import type { Pause } from "../host/slices.ts";
import type { Snapshot } from "../mesh/mod.ts";

/**
 * One variant of xDS for one connection to a control plane. Its state (resources, versions) outlives streams; what belongs to a
 * stream (nonces, whether the node was told) begins anew with `open`.
 */
export interface Protocol {
  /** The gRPC method, such as `/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources`. */
  readonly method: string;

  /**
   * A new stream begins. Must not overlap with `receive`.
   *
   * @param pause as below
   * @returns the requests that open it, in order
   */
  open(now: Date, pause?: Pause): Promise<readonly Uint8Array[]>;

  /**
   * Takes one response. Its state is whole before and after, and in slices in between: the event loop never waits for long, and
   * nobody sees half a response in `mesh` or `collections`. Calls must not overlap.
   *
   * @param pause called between small steps, and awaited. @default {timedSlices()}
   * @returns the requests that answer it, in order: its ACK or NACK, and changed subscriptions
   * @throws {EnvelopeError} where the response is no message at all and cannot be answered: the stream is to be opened anew
   */
  receive(bytes: Uint8Array, now: Date, pause?: Pause): Promise<readonly Uint8Array[]>;

  /** Lets waiting for missing resources end where it is time (15 s). @returns requests that follow from it, most often none */
  expire(now: Date): readonly Uint8Array[];

  /** What the resources mean for the mesh; the very same object as long as nothing changed. */
  readonly mesh: Snapshot;

  /** Every type that was subscribed has been received once, on any stream: only now may anything be removed from the kernel. */
  readonly complete: boolean;

  /** What `weft resources` shows, in that order. */
  readonly collections: readonly Collection[];

  /** Further keys of `weft resources -o json` beside the collections, such as `subscriptions`. */
  readonly extras: Readonly<Record<string, unknown>>;

  /** What was received, by type, for `weft status`. */
  readonly types: readonly TypeState[];

  /** The resources that are refused now, until one of their name is accepted or removed. */
  readonly rejections: readonly Rejection[];

  /** What the control plane asks for and weft does not do (yet), one line each, such as `… needs L7`; for `weft status`. */
  readonly notes: readonly string[];
}

/** The resources of one kind, such as `workloads` or `clusters`. */
export interface Collection {
  /** The key in JSON, and what is given to `weft resources`. */
  readonly name: string;
  /** How it stands in JSON: an object by resource name, or a list. */
  readonly shape: "by name" | "list";
  readonly size: number;
  /** The resources as they are now; in no order that means anything. */
  resources(): Iterable<StoredResource>;
}

/** One accepted resource. */
export interface StoredResource {
  readonly name: string;
  /** As the control plane said; "" where it says none. */
  readonly version: string;
  readonly receivedAt: Date;
  /** What it says, as JSON: fields that are empty left out. Made on demand. */
  json(): unknown;
}

/** What was received of one type. */
export interface TypeState {
  readonly typeUrl: string;
  /** Accepted resources. */
  readonly resources: number;
  /** The version that the newest accepted response had; "" before the first one. */
  readonly version: string;
  readonly lastReceived: Date | undefined;
  /** Responses since the start, and how many of them were rejected as a whole or in part. */
  readonly responses: number;
  readonly nacks: number;
  /** How long the newest response took: reading it, and putting it into the store. In milliseconds, pauses for others included. */
  readonly took?: { readonly decodeMs: number; readonly storeMs: number };
}

/** A resource that was refused; the last good version of it stays in force. */
export interface Rejection {
  readonly typeUrl: string;
  /** "" where it has none that could be read: the whole response is refused. */
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly at: Date;
}
