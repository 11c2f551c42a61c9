/**
 * Reads addresses of the workload API straight into the mesh's workloads: they come by the hundred thousand in one response, and most
 * of what they say (nodes, localities, memberships) was said before. Services are few, and decoded as they are.
 */

import { Buffer } from "node:buffer";
import {
  createTraitsSharing,
  type GatewayAddress,
  type Locality,
  noTraits,
  type PortMap,
  type ServiceKey,
  type Workload,
  type WorkloadTraits,
} from "../../mesh/mod.ts";
import { createByteMemo, createFieldReader, type FieldVisitor } from "../proto/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { gatewayOf } from "./gateway.ts";
import { ipText } from "./ip.ts";
import {
  addressType,
  gatewayType,
  localityType,
  membershipType,
  type ServiceMessage,
  serviceType,
  uint32Type,
  workloadType,
} from "./messages.ts";
import { portMapOf } from "./ports.ts";

/** Of the enums those values that mean something to weft; all others are as if not set, but for the status. */
const healthy = 0;
const hbone = 1;
const hostNetwork = 1;

const nothing: readonly string[] = [];
const noServices: ReadonlyMap<ServiceKey, PortMap> = new Map();

const inAddress = { workload: addressType.field("workload"), service: addressType.field("service") };

const inWorkload = {
  namespace: workloadType.field("namespace"),
  addresses: workloadType.field("addresses"),
  network: workloadType.field("network"),
  tunnelProtocol: workloadType.field("tunnel_protocol"),
  waypoint: workloadType.field("waypoint"),
  node: workloadType.field("node"),
  authorizationPolicies: workloadType.field("authorization_policies"),
  status: workloadType.field("status"),
  clusterId: workloadType.field("cluster_id"),
  networkGateway: workloadType.field("network_gateway"),
  uid: workloadType.field("uid"),
  services: workloadType.field("services"),
  locality: workloadType.field("locality"),
  networkMode: workloadType.field("network_mode"),
  capacity: workloadType.field("capacity"),
};

/** Reads one Address, which is in a range of the bytes. */
export type AddressReader = (name: string, start: number, end: number) => Workload | ServiceMessage;

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/**
 * Makes a reader of Address messages within `bytes`, which is one response.
 *
 * @returns it throws a ResourceError where a workload makes no sense, and an Error where the bytes are no such message
 */
export function createAddressReader(bytes: Uint8Array): AddressReader {
  const readFields = createFieldReader(bytes);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const part = (start: number, end: number) => bytes.subarray(start, end);
  const text = (start: number, end: number) => buffer.toString("utf8", start, end);
  /** Whether a range says this; no text is made of one that is ASCII. */
  function isText(wanted: string, start: number, end: number): boolean {
    if (wanted.length !== end - start) return text(start, end) === wanted;
    for (let i = 0; i < wanted.length; i++) {
      const byte = bytes[start + i];
      if (byte >= 0x80 || byte !== wanted.charCodeAt(i)) return text(start, end) === wanted;
    }
    return true;
  }

  const sharedText = createByteMemo(bytes, text);
  const locality = createByteMemo(bytes, (start, end): Locality => {
    const { region, zone, subzone } = localityType.decode(part(start, end));
    return { region, zone, subzone };
  });
  const gateway = createByteMemo(
    bytes,
    (start, end): GatewayAddress => gatewayOf(gatewayType.decode(part(start, end))),
  );
  /** A map of one membership: what most workloads have. */
  const membership = createByteMemo(bytes, (start, end): ReadonlyMap<ServiceKey, PortMap> => {
    const { service, ports } = membershipType.decode(part(start, end));
    if (!service.includes("/")) {
      throw new ResourceError(`it is a member of "${service}", expected namespace/hostname`);
    }
    return new Map([[service, portMapOf(ports?.ports ?? [])]]);
  });

  const share = createTraitsSharing();

  let draft: Mutable<Workload>;
  /** Of every workload in turn. */
  const traits: Mutable<WorkloadTraits> = { ...noTraits };
  let uidFrom: number;
  let uidTo: number;
  const workloadFields: FieldVisitor = {
    number: (field, value) => {
      if (field === inWorkload.status) draft.status = value === healthy ? "Healthy" : "Unhealthy";
      else if (field === inWorkload.tunnelProtocol) traits.protocol = value === hbone ? "HBONE" : "TCP";
      else if (field === inWorkload.networkMode) {
        traits.networkMode = value === hostNetwork ? "HostNetwork" : "Standard";
      }
    },
    range: (field, start, end) => {
      switch (field) {
        case inWorkload.namespace:
          traits.namespace = sharedText(start, end);
          break;
        case inWorkload.addresses:
          // Not push(): an array that grows keeps room for sixteen more.
          draft.addresses = draft.addresses.length === 0
            ? [ipText(part(start, end))]
            : [...draft.addresses, ipText(part(start, end))];
          break;
        case inWorkload.network:
          traits.network = sharedText(start, end);
          break;
        case inWorkload.waypoint:
          traits.waypoint = gateway(start, end);
          break;
        case inWorkload.node:
          traits.node = sharedText(start, end);
          break;
        case inWorkload.authorizationPolicies:
          traits.authorizationPolicies = [...traits.authorizationPolicies, sharedText(start, end)];
          break;
        case inWorkload.clusterId:
          traits.clusterId = sharedText(start, end);
          break;
        case inWorkload.networkGateway:
          traits.networkGateway = gateway(start, end);
          break;
        case inWorkload.uid:
          [uidFrom, uidTo] = [start, end];
          break;
        case inWorkload.services:
          draft.services = draft.services.size === 0
            ? membership(start, end)
            : new Map([...draft.services, ...membership(start, end)]);
          break;
        case inWorkload.locality:
          traits.locality = locality(start, end);
          break;
        case inWorkload.capacity:
          draft.capacity = uint32Type.decode(part(start, end)).value;
      }
    },
  };

  function readWorkload(name: string, start: number, end: number): Workload {
    [uidFrom, uidTo] = [0, 0];
    Object.assign(traits, noTraits);
    draft = {
      uid: name,
      addresses: nothing,
      status: "Healthy",
      capacity: 1,
      services: noServices,
      traits: noTraits,
    };
    readFields(start, end, workloadFields);
    if (!isText(name, uidFrom, uidTo)) {
      throw new ResourceError(`its uid is "${text(uidFrom, uidTo)}", expected the resource's name`);
    }
    draft.traits = share(traits);
    return draft;
  }

  // Of a oneof the last one counts.
  let kind: number;
  let from: number;
  let to: number;
  const addressFields: FieldVisitor = {
    number: () => {},
    range: (field, start, end) => {
      if (field !== inAddress.workload && field !== inAddress.service) return;
      [kind, from, to] = [field, start, end];
    },
  };

  return (name, start, end) => {
    kind = 0;
    readFields(start, end, addressFields);
    if (kind === inAddress.workload) return readWorkload(name, from, to);
    if (kind === inAddress.service) return serviceType.decode(part(from, to));
    throw new ResourceError("it is neither a workload nor a service");
  };
}
