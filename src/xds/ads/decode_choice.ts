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
  type RandomMessage,
  randomType,
  type RingHashMessage,
  ringHashType,
  roundRobinType,
} from "./messages.ts";
import type { Cluster } from "./model.ts";
import { type PolicySettings, unhonouredOfPolicy } from "./unhonoured_settings.ts";

/** What Envoy allows, and takes where nothing is said. */
const maxRingSize = 8_388_608;
const defaultMinimumRing = 1024;
const maxTableSize = 5_000_011;
const defaultTableSize = 65_537;
const minChoices = 2;

/** How a cluster's endpoints are chosen, and what it asks for besides. */
type Chosen = Pick<Cluster, "choice" | "localityWeighted" | "unhonoured">;

/**
 * `load_balancing_policy` is what counts where it is set: of its policies the first that weft knows, as Envoy does it. What the cluster
 * says beside it (`common_lb_config`, `least_request_lb_config` and their like) is then not asked for.
 *
 * @param lbPolicy the name of the cluster's `lb_policy`
 * @throws {ResourceError} where settings are not as Envoy allows them
 */
export function choiceOf(message: ClusterMessage, lbPolicy: string): Chosen & Pick<Cluster, "policy"> {
  const policies = message.load_balancing_policy?.policies;
  if (policies === undefined) return { ...chosenByName(message, lbPolicy), policy: lbPolicy };
  const configs = policies.flatMap((one) => one.typed_extension_config?.typed_config ?? []);
  for (const [i, config] of configs.entries()) {
    const chosen = chosenByExtension(config);
    if (chosen === undefined) continue;
    const policy = shortName(config);
    const unhonoured = i === 0
      ? chosen.unhonoured
      : [...chosen.unhonoured, skipped(configs.slice(0, i), policy)];
    return { ...chosen, unhonoured, policy };
  }
  return {
    choice: undefined,
    localityWeighted: false,
    unhonoured: [],
    policy: `load_balancing_policy (${configs.map(shortName).join(", ") || "empty"})`,
  };
}

function skipped(configs: readonly Any[], policy: string): string {
  const names = configs.map(shortName).join(", ");
  return `load_balancing_policy (${names}) is not honoured, the next one that is known, ${policy}, takes its place`;
}

function chosenByName(message: ClusterMessage, lbPolicy: string): Chosen {
  const common = message.common_lb_config;
  const choice = choiceOfName(message, lbPolicy);
  return {
    choice,
    localityWeighted: isSet(common?.locality_weighted_lb_config),
    unhonoured: unhonouredOfPolicy({
      ...choice?.kind === "leastRequest" ? settingsOf(message.least_request_lb_config) : {},
      ...choice?.kind === "roundRobin" ? settingsOf(message.round_robin_lb_config) : {},
      zone_aware_lb_config: common?.zone_aware_lb_config,
      hashing: choice?.kind === "ringHash" || choice?.kind === "maglev"
        ? [common?.consistent_hashing_lb_config]
        : [],
    }),
  };
}

/** A decoded message has its defaults in its prototype: those that were not sent are not copied with it. */
function settingsOf(message: Partial<LeastRequestMessage> | null): PolicySettings {
  return {
    active_request_bias: message?.active_request_bias,
    slow_start_config: message?.slow_start_config,
    selection_method: message?.selection_method,
  };
}

function isSet(message: object | null | undefined): boolean {
  return message !== null && message !== undefined;
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

function chosenByExtension({ type_url, value }: Any): Chosen | undefined {
  switch (type_url) {
    case `${extensions}.random.v3.Random`:
      return chosenWithLocality({ kind: "random" }, randomType.decode(value));
    case `${extensions}.round_robin.v3.RoundRobin`:
      return chosenWithLocality({ kind: "roundRobin" }, roundRobinType.decode(value));
    case `${extensions}.least_request.v3.LeastRequest`: {
      const message = leastRequestType.decode(value);
      return chosenWithLocality(leastRequestOf(message), message);
    }
    case `${extensions}.ring_hash.v3.RingHash`: {
      const message = ringHashType.decode(value);
      return chosenByHash(ringHashOf(message), message, [message, message.consistent_hashing_lb_config]);
    }
    case `${extensions}.maglev.v3.Maglev`: {
      const message = maglevType.decode(value);
      return chosenByHash(maglevOf(message), message, [message.consistent_hashing_lb_config]);
    }
    default:
      return undefined;
  }
}

function chosenWithLocality(
  choice: Choice,
  message: Partial<LeastRequestMessage> & Pick<RandomMessage, "locality_lb_config">,
): Chosen {
  const locality = message.locality_lb_config;
  return {
    choice,
    localityWeighted: isSet(locality?.locality_weighted_lb_config),
    unhonoured: unhonouredOfPolicy({
      ...settingsOf(message),
      zone_aware_lb_config: locality?.zone_aware_lb_config,
    }),
  };
}

function chosenByHash(
  choice: Choice,
  message: Pick<MaglevMessage, "locality_weighted_lb_config">,
  hashing: PolicySettings["hashing"],
): Chosen {
  return {
    choice,
    localityWeighted: isSet(message.locality_weighted_lb_config),
    unhonoured: unhonouredOfPolicy({ hashing }),
  };
}

const extensions = "type.googleapis.com/envoy.extensions.load_balancing_policies";

/** The message's name without its package. */
function shortName({ type_url }: Any): string {
  return type_url.slice(type_url.lastIndexOf(".") + 1);
}

function leastRequestOf(message: Pick<LeastRequestMessage, "choice_count"> | null): Choice {
  const choices = message?.choice_count?.value ?? minChoices;
  if (choices < minChoices) {
    throw new ResourceError(`choice_count is ${choices}, expected at least ${minChoices}`);
  }
  return { kind: "leastRequest", choices };
}

function ringHashOf(message: ClusterMessage["ring_hash_lb_config"]): Choice {
  const minimumSize = sizeOf("minimum_ring_size", message?.minimum_ring_size, maxRingSize) ??
    defaultMinimumRing;
  const maximumSize = sizeOf("maximum_ring_size", message?.maximum_ring_size, maxRingSize) ?? maxRingSize;
  if (minimumSize > maximumSize) {
    throw new ResourceError(
      `minimum_ring_size is ${minimumSize}, expected at most ${maximumSize}, the maximum_ring_size`,
    );
  }
  return { kind: "ringHash", minimumSize, maximumSize };
}

function maglevOf(message: ClusterMessage["maglev_lb_config"]): Choice {
  const expected = `a prime number up to ${maxTableSize}`;
  const tableSize = sizeOf("table_size", message?.table_size, maxTableSize, expected) ?? defaultTableSize;
  if (!isPrime(tableSize)) throw new ResourceError(`table_size is ${tableSize}, expected ${expected}`);
  return { kind: "maglev", tableSize };
}

/** What a field of 64 bits says; `undefined` where it is not set. */
function sizeOf(
  field: string,
  size: RingHashMessage["minimum_ring_size"] | undefined,
  most: number,
  expected = `at most ${most}`,
): number | undefined {
  if (size === null || size === undefined) return undefined;
  const text = String(size.value);
  if (Number(text) > most) throw new ResourceError(`${field} is ${text}, expected ${expected}`);
  return Number(text);
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return number > 1;
}
