/** How a cluster asks for its endpoints to be chosen. */

import type { Choice } from "../../mesh/mod.ts";
import type { Any } from "../proto/mod.ts";
import { ResourceError } from "../resource_error.ts";
import {
  type ClusterMessage,
  type LeastRequestMessage,
  leastRequestType,
  type MaglevMessage,
  maglevType,
  type RingHashMessage,
  ringHashType,
} from "./messages.ts";
import type { Cluster } from "./model.ts";

/** What Envoy allows, and takes where nothing is said. */
const maxRingSize = 8_388_608;
const defaultMinimumRing = 1024;
const maxTableSize = 5_000_011;
const defaultTableSize = 65_537;
const minChoices = 2;

/**
 * `load_balancing_policy` is what counts where it is set: of its policies the first that weft knows, as Envoy does it.
 *
 * @param lbPolicy the name of the cluster's `lb_policy`
 * @throws {ResourceError} where sizes are not as Envoy allows them
 */
export function choiceOf(message: ClusterMessage, lbPolicy: string): Pick<Cluster, "choice" | "policy"> {
  const policies = message.load_balancing_policy?.policies;
  if (policies === undefined) return { choice: choiceOfName(message, lbPolicy), policy: lbPolicy };
  const configs = policies.flatMap((one) => one.typed_extension_config?.typed_config ?? []);
  for (const config of configs) {
    const choice = choiceOfExtension(config);
    if (choice !== undefined) return { choice, policy: shortName(config) };
  }
  return {
    choice: undefined,
    policy: `load_balancing_policy (${configs.map(shortName).join(", ") || "empty"})`,
  };
}

function choiceOfName(message: ClusterMessage, lbPolicy: string): Choice | undefined {
  switch (lbPolicy) {
    case "RANDOM":
    case "CLUSTER_PROVIDED":
      return { kind: "random" };
    case "ROUND_ROBIN":
      return { kind: "roundRobin" };
    case "LEAST_REQUEST":
      return leastRequestOf(message.least_request_lb_config);
    case "RING_HASH":
      return ringHashOf(message.ring_hash_lb_config);
    case "MAGLEV":
      return maglevOf(message.maglev_lb_config);
    default:
      return undefined;
  }
}

function choiceOfExtension({ type_url, value }: Any): Choice | undefined {
  switch (type_url) {
    case `${extensions}.random.v3.Random`:
      return { kind: "random" };
    case `${extensions}.round_robin.v3.RoundRobin`:
      return { kind: "roundRobin" };
    case `${extensions}.least_request.v3.LeastRequest`:
      return leastRequestOf(leastRequestType.decode(value));
    case `${extensions}.ring_hash.v3.RingHash`:
      return ringHashOf(ringHashType.decode(value));
    case `${extensions}.maglev.v3.Maglev`:
      return maglevOf(maglevType.decode(value));
    default:
      return undefined;
  }
}

const extensions = "type.googleapis.com/envoy.extensions.load_balancing_policies";

/** The message's name without its package. */
function shortName({ type_url }: Any): string {
  return type_url.slice(type_url.lastIndexOf(".") + 1);
}

function leastRequestOf(message: LeastRequestMessage | null): Choice {
  const choices = message?.choice_count?.value ?? minChoices;
  if (choices < minChoices) {
    throw new ResourceError(`choice_count is ${choices}, expected at least ${minChoices}`);
  }
  return { kind: "leastRequest", choices };
}

function ringHashOf(message: RingHashMessage | null): Choice {
  const minimumSize = message?.minimum_ring_size?.value ?? defaultMinimumRing;
  const maximumSize = message?.maximum_ring_size?.value ?? maxRingSize;
  if (maximumSize > maxRingSize) {
    throw new ResourceError(`maximum_ring_size is ${maximumSize}, expected at most ${maxRingSize}`);
  }
  if (minimumSize > maximumSize) {
    throw new ResourceError(
      `minimum_ring_size is ${minimumSize}, expected at most ${maximumSize}, the maximum_ring_size`,
    );
  }
  return { kind: "ringHash", minimumSize, maximumSize };
}

function maglevOf(message: MaglevMessage | null): Choice {
  const tableSize = message?.table_size?.value ?? defaultTableSize;
  if (tableSize > maxTableSize || !isPrime(tableSize)) {
    throw new ResourceError(`table_size is ${tableSize}, expected a prime number up to ${maxTableSize}`);
  }
  return { kind: "maglev", tableSize };
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return number > 1;
}
