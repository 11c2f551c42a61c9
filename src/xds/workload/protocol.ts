/** Mode workload: the delta protocol with the addresses and authorizations of the workload API. */

import { emptySnapshot, type Policy, type Service, type Snapshot, type Workload } from "../../mesh/mod.ts";
import { createDelta, type DeltaChanges, type DeltaType, type HeldResource, heldValue } from "../delta.ts";
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
  | { readonly workload: Workload }
  | { readonly service: Service; readonly unknown: string }
  | { readonly policy: Policy };

const addresses: DeltaType<Part> = {
  typeUrl: addressUrl,
  decoder: (bytes) => {
    const read = createAddressReader(bytes);
    return (name, start, end) => {
      const address = read(name, start, end);
      return "uid" in address
        ? { workload: address }
        : { service: serviceOf(name, address), unknown: unknownWords(address) };
    };
  },
};

const authorizations: DeltaType<Part> = {
  typeUrl: authorizationUrl,
  decoder: (bytes) => (name, start, end) => ({
    policy: policyOf(name, authorizationType.decode(bytes.subarray(start, end))),
  }),
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
    pause: () => Promise<void> | undefined,
  ): Promise<() => void> {
    const parts = upserts.map(({ value }) => value);
    const ofAddresses = typeUrl === addressUrl;
    const next = await editInSlices(mesh, {
      // An address may be either, and may have become the other; removing what is not there is no error.
      removeWorkloads: ofAddresses ? [...removals, ...namesWithout("workload", upserts)] : [],
      removeServices: ofAddresses ? [...removals, ...namesWithout("service", upserts)] : [],
      removePolicies: ofAddresses ? [] : removals,
      upsertWorkloads: parts.flatMap((part) => "workload" in part ? part.workload : []),
      upsertServices: parts.flatMap((part) => "service" in part ? part.service : []),
      upsertPolicies: parts.flatMap((part) => "policy" in part ? part.policy : []),
    }, pause);
    return () => {
      mesh = next;
      if (!ofAddresses) return;
      for (const name of removals) unknown.delete(name);
      for (const { name, value } of upserts) {
        if ("service" in value && value.unknown !== "") unknown.set(name, value.unknown);
        else unknown.delete(name);
      }
    };
  }

  const delta = createDelta({ node, types: [addresses, authorizations], prepare });
  const held = delta.held(addressUrl);
  return {
    method,
    open: delta.open,
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
        collection("workloads", held, () => mesh.workloads, json),
        collection("services", held, () => mesh.services, json),
        collection(
          "policies",
          delta.held(authorizationUrl),
          () => mesh.policies,
          (value) => policyJson(authorizationType.decode(value)),
        ),
      ];
    },
    get extras() {
      const aliased = [...held.values()].filter((resource) => resource.aliases.length > 0);
      return aliased.length === 0
        ? {}
        : { aliases: Object.fromEntries(aliased.map((resource) => [resource.name, resource.aliases])) };
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

/** The names of those that are not of a kind. */
function namesWithout(kind: string, upserts: DeltaChanges<Part>["upserts"]): string[] {
  return upserts.flatMap(({ name, value }) => kind in value ? [] : name);
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
        const { name, version, receivedAt } = resource;
        yield { name, version, receivedAt, json: () => json(heldValue(resource)) };
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
