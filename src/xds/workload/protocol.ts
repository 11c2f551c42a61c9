/** Mode workload: the delta protocol with the addresses and authorizations of the workload API. */

import {
  emptySnapshot,
  type Policy,
  type Service,
  serviceKey,
  type Snapshot,
  type Workload,
} from "../../mesh/mod.ts";
import { createDelta, type DeltaChanges, type DeltaType } from "../delta.ts";
import type { HeldResource } from "../held_resource.ts";
import type { Pause } from "../../host/slices.ts";
import { stepSize } from "../../host/steps.ts";
import type { Node } from "../proto/mod.ts";
import type { Collection, Protocol } from "../protocol.ts";
import { editInSlices } from "../edit_in_slices.ts";
import { policyJson, serviceJson, workloadJson } from "./json.ts";
import { addressType, addressUrl, authorizationType, authorizationUrl } from "./messages.ts";
import { policyOf } from "./policy.ts";
import { createAddressReader } from "./read_address.ts";
import { serviceOf, unknownWords } from "./service.ts";

/** One resource as the mesh has it. */
type Part =
  | Workload
  | {
    readonly service: Service;
    /** What is asked of its balancing that weft does not know. */
    readonly unknown: string;
  }
  | Policy;

const isWorkload = (part: Part): part is Workload => "uid" in part;
const isPolicy = (part: Part): part is Policy => "action" in part;

const addresses: DeltaType<Part> = {
  typeUrl: addressUrl,
  decoder: (bytes) => {
    const read = createAddressReader(bytes);
    return (name, start, end) => {
      const address = read(name, start, end);
      return "uid" in address
        ? address
        : { service: serviceOf(name, address), unknown: unknownWords(address) };
    };
  },
};

const authorizations: DeltaType<Part> = {
  typeUrl: authorizationUrl,
  decoder: (bytes) => (name, start, end) =>
    policyOf(name, authorizationType.decode(bytes.subarray(start, end))),
};

const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** Notes of one kind that are told one by one. */
const maxOfKind = 20;

/** @param node who asks */
export function createWorkloadProtocol(node: Partial<Node>): Protocol {
  let mesh = emptySnapshot();
  /** Service → what is asked of its balancing that weft does not know. */
  const unknown = new Map<string, string>();

  async function prepare(
    { typeUrl, upserts, removals }: DeltaChanges<Part>,
    pause: Pause,
  ): Promise<() => void> {
    const workloads: Workload[] = [];
    const services: { service: Service; unknown: string }[] = [];
    const policies: Policy[] = [];
    // An address may be either, and may have become the other; removing what is not there is no error.
    const noServices: string[] = [];
    for (const [i, part] of upserts.entries()) {
      if (isWorkload(part)) {
        workloads.push(part);
        if (mesh.services.has(part.uid)) noServices.push(part.uid);
      } else if (isPolicy(part)) policies.push(part);
      else services.push(part);
      const turn = i % stepSize === stepSize - 1 ? pause() : undefined;
      if (turn !== undefined) await turn;
    }
    const ofAddresses = typeUrl === addressUrl;
    const noWorkloads = services.map(({ service }) => serviceKey(service));
    const next = await editInSlices(mesh, {
      removeWorkloads: ofAddresses ? [...removals, ...noWorkloads] : [],
      removeServices: ofAddresses ? [...removals, ...noServices] : [],
      removePolicies: ofAddresses ? [] : removals,
      upsertWorkloads: workloads,
      upsertServices: services.map(({ service }) => service),
      upsertPolicies: policies,
    }, pause);
    return () => {
      mesh = next;
      if (!ofAddresses) return;
      for (const name of unknown.keys()) if (!mesh.services.has(name)) unknown.delete(name);
      for (const part of services) {
        const key = serviceKey(part.service);
        if (part.unknown === "") unknown.delete(key);
        else unknown.set(key, part.unknown);
      }
    };
  }

  const delta = createDelta({ node, types: [addresses, authorizations], prepare });
  return {
    method,
    open: (_now, pause) => delta.open(pause),
    receive: delta.receive,
    // A wildcard has no names to wait for.
    expire: () => [],
    get mesh() {
      return mesh;
    },
    get complete() {
      return delta.complete;
    },
    get collections() {
      const json = (value: Uint8Array) => {
        const { workload, service } = addressType.decode(value);
        return workload ? workloadJson(workload) : service && serviceJson(service);
      };
      return [
        collection("workloads", delta.held(addressUrl), () => mesh.workloads, json),
        collection("services", delta.held(addressUrl), () => mesh.services, json),
        collection(
          "policies",
          delta.held(authorizationUrl),
          () => mesh.policies,
          (value) => policyJson(authorizationType.decode(value)),
        ),
      ];
    },
    get extras() {
      const aliased: (readonly [string, readonly string[]])[] = [];
      for (const [name, { aliases }] of delta.held(addressUrl)) {
        if (aliases.length > 0) aliased.push([name, aliases]);
      }
      return aliased.length === 0 ? {} : { aliases: Object.fromEntries(aliased) };
    },
    get types() {
      return delta.types;
    },
    get rejections() {
      return delta.rejections;
    },
    get notes() {
      return notesOf(mesh, unknown);
    },
  };
}

/** The held resources that are in one of the mesh's maps, which is what tells workloads from services. */
function collection(
  name: string,
  held: ReadonlyMap<string, HeldResource>,
  part: () => { readonly size: number; keys(): Iterable<string> },
  json: (value: Uint8Array) => unknown,
): Collection {
  return {
    name,
    shape: "by name",
    get size() {
      return part().size;
    },
    *resources() {
      for (const key of part().keys()) {
        const resource = held.get(key);
        if (resource === undefined) continue;
        const { version, receivedAt } = resource;
        yield { name: key, version, receivedAt, json: () => json(resource.value) };
      }
    },
  };
}

function notesOf(mesh: Snapshot, unknown: ReadonlyMap<string, string>): string[] {
  return [
    ...shortened(
      [...mesh.policies.keys()].sort().map((key) => `policy ${key} is not enforced yet`),
      "policies that are not enforced yet",
    ),
    ...shortened(
      [...unknown].map(([key, words]) =>
        `service ${key}: ${words} in its load balancing is not known to weft`
      ),
      "services with unknown load balancing",
    ),
  ];
}

/** @param plural for "and N more …" */
function shortened(lines: readonly string[], plural: string): string[] {
  if (lines.length <= maxOfKind) return [...lines];
  return [...lines.slice(0, maxOfKind), `and ${lines.length - maxOfKind} more ${plural}`];
}
