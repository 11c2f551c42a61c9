/**
 * Mode ads: the state-of-the-world variant of xDS for clusters, endpoints, listeners and routes, on one aggregated stream.
 *
 * The rules are those of Envoy's xDS protocol document. Where it leaves a choice:
 * - A response with a resource that cannot be decoded, makes no sense, or is there twice is refused as a whole.
 * - The first stream asks for clusters; endpoints and listeners follow with the answer to them. A later stream asks for all that is known.
 * - A response of a type that was not asked for on this stream gets no answer: an answer would be a subscription, and istiod ends the
 *   whole stream over a type that it does not know.
 */

import { editSnapshot, emptySnapshot, type MeshEdit, serviceKey } from "../../mesh/mod.ts";
import { editInSlices } from "../edit_in_slices.ts";
import { discoveryRequestType, type Envelope, EnvelopeError, type Node, readEnvelope } from "../proto/mod.ts";
import type { Protocol } from "../protocol.ts";
import { timedSlices } from "../../host/slices.ts";
import { createMissing } from "./missing.ts";
import { hostNamesOf, isDns } from "./dns.ts";
import { createNames } from "./names.ts";
import { readResources, type Refusal } from "./read_resources.ts";
import { createResourceSet, type ResourceSet } from "./resource_set.ts";
import { clusters, endpoints, listeners, routes } from "./resource_types.ts";
import type { MissingName } from "./resources.ts";
import type { ServiceChange } from "./service_book.ts";
import { edsNamesOf, routeNamesOf } from "./subscriptions.ts";
import { createTranslator } from "./translate.ts";

const responseFields = { version: 1, resources: 2, typeUrl: 4, nonce: 5 };
/** google.rpc.Code.INVALID_ARGUMENT. */
const invalidArgument = 3;
/** Refused resources that a NACK names. */
const maxNamed = 20;

type AnySet = ResourceSet<{ readonly name: string }>;
const noNames: ReadonlySet<string> = new Set();

/**
 * @param node who asks; told once on each stream
 * @param network of the node: what the control plane says is about no other
 * @param lookUp gives the addresses of a host name; without it clusters whose endpoints are names are left alone
 */
export function createAdsProtocol(
  node: Partial<Node>,
  network: string,
  lookUp?: (host: string) => Promise<readonly string[]>,
): Protocol {
  const cds = createResourceSet(clusters);
  const eds = createResourceSet(endpoints);
  const lds = createResourceSet(listeners);
  const rds = createResourceSet(routes);
  const sets: readonly AnySet[] = [cds, eds, lds, rds];
  const hosts = lookUp && createNames(lookUp);
  let hostChanges = 0;
  const translator = createTranslator({
    clusters: cds.held,
    assignments: eds.held,
    listeners: lds.held,
    routes: rds.held,
    names: hosts,
  }, network);
  const missing = createMissing();
  /** The names that are wanted of a type, and those that were asked for last on the present stream. */
  const wanted = new Map<AnySet, ReadonlySet<string>>();
  const asked = new Map<AnySet, ReadonlySet<string>>();
  /** Every request of a type says all names, most often the same ones as before. */
  const encoded = new WeakMap<ReadonlySet<string>, Uint8Array>();
  let mesh = emptySnapshot();
  let complete = false;

  /** A part of a request: messages that follow each other are one. */
  const encodedNames = (names: ReadonlySet<string>): Uint8Array => {
    const known = encoded.get(names);
    if (known !== undefined) return known;
    const bytes = discoveryRequestType.encode({ resource_names: [...names] });
    encoded.set(names, bytes);
    return bytes;
  };

  const request = (set: AnySet, refusals: readonly Refusal[] = []): Uint8Array => {
    const names = wanted.get(set) ?? noNames;
    const first = asked.size === 0;
    asked.set(set, names);
    const rest = discoveryRequestType.encode({
      version_info: set.version,
      response_nonce: set.nonce,
      type_url: set.type.typeUrl,
      ...first && { node },
      ...refusals.length > 0 && {
        error_detail: { code: invalidArgument, message: messageOf(refusals, set.type.noun) },
      },
    });
    const named = encodedNames(names);
    const message = new Uint8Array(rest.length + named.length);
    message.set(rest);
    message.set(named, rest.length);
    return message;
  };

  /** Wants these endpoints or routes. @returns a request, where others were asked for last */
  const want = (set: AnySet, names: ReadonlySet<string>): Uint8Array[] => {
    wanted.set(set, names);
    set.keepOnly(names);
    return sameNames(names, asked.get(set) ?? noNames) ? [] : [request(set)];
  };

  /** What to ask for after an answer: endpoints follow clusters, routes follow listeners. */
  const follow = (set: AnySet, changed: readonly string[]): Uint8Array[] => {
    const requests: Uint8Array[] = [];
    if (set === cds) {
      hosts?.keepOnly(new Set([...valuesOf(cds)].filter(isDns).flatMap((one) => [...hostNamesOf(one)])));
      if (changed.length > 0) requests.push(...want(eds, edsNamesOf(valuesOf(cds))));
      if (!asked.has(lds)) requests.push(request(lds));
    }
    if (set === lds && changed.length > 0) {
      requests.push(...want(rds, new Set([...valuesOf(lds)].flatMap(routeNamesOf))));
    }
    return requests;
  };

  const noteMissing = (now: Date) => {
    const names = new Set<string>(translator.missing);
    for (const name of lackingOf(eds, wanted)) names.add(`endpoints ${name}`);
    for (const name of lackingOf(rds, wanted)) names.add(`routes ${name}`);
    // Without an answer about clusters, listeners are not asked for: that too is waited for.
    if (!asked.has(lds)) names.add(noClusters);
    missing.update(names, now);
    complete ||= cds.version !== "" && lds.version !== "" && missing.settled;
  };

  const gaveUp = (name: MissingName) => missing.gaveUp(name);

  /** A response of any other type gets no answer. */
  const askedSet = (typeUrl: string): AnySet | undefined =>
    sets.find((set) => set.type.typeUrl === typeUrl && asked.has(set));

  const refuse = (set: AnySet, refusals: readonly Refusal[], version: string, now: Date): Uint8Array[] => {
    set.reject(refusals, version, now, wanted.get(set) ?? noNames);
    return [request(set, refusals), ...follow(set, [])];
  };

  return {
    method: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    // Not awaited by itself: subscriptions are few.
    // deno-lint-ignore require-await
    open: async (now) => {
      asked.clear();
      for (const set of sets) set.forgetNonce();
      missing.restart(now);
      const known = cds.version !== "";
      const requests = sets.filter((set) => set === cds || (known && isAskedFor(set, wanted))).map((set) =>
        request(set)
      );
      noteMissing(now);
      return requests;
    },
    receive: async (bytes, now, pause = timedSlices()) => {
      let envelope: Envelope;
      try {
        envelope = await readEnvelope(bytes, responseFields, pause);
      } catch (error) {
        if (!(error instanceof EnvelopeError) || error.nonce === "") throw error;
        const set = askedSet(error.typeUrl);
        if (set === undefined) throw error;
        set.count(error.nonce, now);
        return refuse(set, [{ name: "", reason: error.message }], "", now);
      }
      const set = askedSet(envelope.typeUrl);
      if (set === undefined) return [];
      set.count(envelope.nonce, now);
      const began = performance.now();
      const { received, refusals } = await readResources(set.type, envelope.resources, set.byDigest, pause);
      if (refusals.length > 0) return refuse(set, refusals, envelope.version, now);
      const decoded = performance.now();
      const names = wanted.get(set);
      const accepted = [...received.values()].filter(({ name }) => !set.type.byName || names?.has(name));
      const changed = set.accept(accepted, envelope.version, now);
      const answers = [request(set), ...follow(set, changed)];
      if (changed.length > 0) {
        const steps = translator.translate(
          set === eds ? { all: false, assignments: changed } : { all: true, assignments: [] },
          gaveUp,
        );
        let step = steps.next();
        for (; !step.done; step = steps.next()) await pause();
        mesh = await editInSlices(mesh, editOf(step.value), pause);
      }
      set.timed({ decodeMs: decoded - began, storeMs: performance.now() - decoded });
      noteMissing(now);
      // What is asked for now is looked up at once.
      hosts?.refresh(now);
      return answers;
    },
    expire: (now) => {
      hosts?.refresh(now);
      const moved = hosts !== undefined && hosts.changes !== hostChanges;
      if (!missing.expire(now) && !moved) return [];
      hostChanges = hosts?.changes ?? 0;
      const requests = asked.has(cds) && !asked.has(lds) ? [request(lds)] : [];
      const steps = translator.translate({ all: true, assignments: [] }, gaveUp);
      let step = steps.next();
      while (!step.done) step = steps.next();
      mesh = editSnapshot(mesh, editOf(step.value));
      noteMissing(now);
      return requests;
    },
    get mesh() {
      return mesh;
    },
    get complete() {
      return complete;
    },
    collections: sets.map(({ collection }) => collection),
    get extras() {
      const names = (set: AnySet) => [...wanted.get(set) ?? []].sort();
      return { subscriptions: { eds: names(eds), rds: names(rds) } };
    },
    get types() {
      return sets.map(({ state }) => state);
    },
    get rejections() {
      return sets.flatMap(({ rejections }) => rejections);
    },
    get notes() {
      const late = missing.givenUp.filter((name) => name !== noClusters);
      return [...translator.notes, ...late.map((name) => `${name}: did not come`)];
    },
  };
}

function editOf({ changed, gone }: ServiceChange): MeshEdit {
  return { upsertServices: changed, removeServices: gone.map(serviceKey) };
}

const noClusters = "an answer about clusters";

function isAskedFor(set: AnySet, wanted: ReadonlyMap<AnySet, ReadonlySet<string>>): boolean {
  return !set.type.byName || (wanted.get(set)?.size ?? 0) > 0;
}

/** The names that are wanted and not held. */
function lackingOf(set: AnySet, wanted: ReadonlyMap<AnySet, ReadonlySet<string>>): string[] {
  const names = wanted.get(set);
  // Only what is wanted is held.
  return names === undefined || names.size === set.held.size
    ? []
    : [...names].filter((name) => !set.held.has(name));
}

function* valuesOf<T>({ held }: ResourceSet<T>): Generator<T> {
  for (const { value } of held.values()) yield value;
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}

function messageOf(refusals: readonly Refusal[], noun: string): string {
  const lines = refusals.slice(0, maxNamed).map(({ name, reason }) =>
    name === "" ? `a ${noun}: ${reason}` : `${noun} ${name}: ${reason}`
  );
  if (refusals.length > maxNamed) lines.push(`and ${refusals.length - maxNamed} more`);
  return lines.join("; ");
}
