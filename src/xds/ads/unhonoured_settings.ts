/**
 * Settings of clusters and assignments that change which endpoint is chosen, or whether connects go through, and that weft does not
 * follow: a note for people each. `connect_timeout` is not among them: how long a connect may take is the application's own affair.
 */

import { ResourceError } from "../resource_error.ts";
import { hashesOf, hashNote } from "./hash_policy.ts";
import type {
  AssignmentMessage,
  ClusterMessage,
  ConsistentHashingMessage,
  LeastRequestMessage,
  ThresholdsMessage,
} from "./messages.ts";

/** What istiod writes for no limit. */
const noLimit = 0xffff_ffff;
/** SelectionMethod. */
const fullScan = 1;
/** As Envoy has it, in percent. */
const leastBalanceFactor = 100;
const defaultPriority = 0;

const nothing: readonly string[] = [];

function notes(all: Readonly<Record<string, boolean>>): readonly string[] {
  const found = Object.keys(all).filter((note) => all[note]);
  return found.length === 0 ? nothing : found;
}

const isSet = (message: object | null | undefined) => message !== null && message !== undefined;

/** Those that hold whatever the policy is. */
export function unhonouredOfCluster(message: ClusterMessage): readonly string[] {
  const thresholds = ofDefaultPriority(message.circuit_breakers?.thresholds);
  const perHost = ofDefaultPriority(message.circuit_breakers?.per_host_thresholds);
  return notes({
    "outlier_detection is not read, endpoints are set aside as weft's own flags say": isSet(
      message.outlier_detection,
    ),
    "health_checks is not honoured, endpoints are not probed": message.health_checks.length > 0,
    "lb_subset_config is not honoured, endpoints are chosen among all":
      (message.lb_subset_config?.subset_selectors.length ?? 0) > 0,
    "upstream_bind_config is not honoured, connections come from the application's own address": isSet(
      message.upstream_bind_config,
    ),
    "max_connections of per_host_thresholds is not honoured": isLimit(perHost?.max_connections),
    "max_pending_requests is not honoured, connects under way are not limited by themselves": isLimit(
      thresholds?.max_pending_requests,
    ),
  });
}

/** Envoy uses the first of each priority; TCP connections are of the default one. */
function ofDefaultPriority(all: readonly ThresholdsMessage[] | undefined): ThresholdsMessage | undefined {
  return all?.find(({ priority }) => priority === defaultPriority);
}

function isLimit(limit: ThresholdsMessage["max_connections"] | undefined): boolean {
  return limit !== null && limit !== undefined && limit.value !== noLimit;
}

/** The deprecated fields of RingHash have no hash policy. */
type HashingSettings =
  & Omit<ConsistentHashingMessage, "hash_policy">
  & Partial<Pick<ConsistentHashingMessage, "hash_policy">>;

/** What policies can be told besides sizes; each has some of it. */
export interface PolicySettings
  extends
    Partial<Pick<LeastRequestMessage, "active_request_bias" | "slow_start_config" | "selection_method">> {
  readonly zone_aware_lb_config?: object | null;
  readonly hashing?: readonly (HashingSettings | null | undefined)[];
}

/**
 * Those of the policy that counts.
 *
 * @throws {ResourceError} where one is not as Envoy allows it
 */
export function unhonouredOfPolicy(settings: PolicySettings): readonly string[] {
  const hashing = settings.hashing?.filter((one) => one !== null && one !== undefined) ?? [];
  for (const { hash_balance_factor } of hashing) {
    const factor = hash_balance_factor?.value ?? leastBalanceFactor;
    if (factor < leastBalanceFactor) {
      throw new ResourceError(`hash_balance_factor is ${factor}, expected at least ${leastBalanceFactor}`);
    }
  }
  const hashes = hashesOf(hashing.flatMap(({ hash_policy = [] }) => hash_policy));
  return notes({
    [hashNote(hashes)]: hashes.length > 0,
    "active_request_bias is not honoured": isSet(settings.active_request_bias),
    "slow_start_config is not honoured, a new endpoint has its whole share at once": isSet(
      settings.slow_start_config,
    ),
    "selection_method FULL_SCAN is not honoured, only choice_count endpoints are compared":
      settings.selection_method === fullScan,
    "zone_aware_lb_config is not honoured, zones are not preferred": isSet(settings.zone_aware_lb_config),
    "use_hostname_for_hashing is not honoured, endpoints are told apart by their addresses": hashing.some((
      one,
    ) => one.use_hostname_for_hashing),
    "hash_balance_factor is not honoured, no endpoint is passed over for its load": hashing.some((one) =>
      isSet(one.hash_balance_factor)
    ),
  });
}

export function unhonouredOfAssignment({ endpoints, policy }: AssignmentMessage): readonly string[] {
  return notes({
    "drop_overloads is not honoured, nothing is dropped": (policy?.drop_overloads.length ?? 0) > 0,
    "endpoint_stale_after is not honoured, endpoints serve until others come": isSet(
      policy?.endpoint_stale_after,
    ),
    "leds_cluster_locality_config is not read, its endpoints are not known": endpoints.some((one) =>
      isSet(one.leds_cluster_locality_config)
    ),
  });
}
