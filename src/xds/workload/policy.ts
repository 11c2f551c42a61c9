/** From an Authorization of the security API to the mesh's policy. */

import { type Policy, policyKey } from "../../mesh/mod.ts";
import { ResourceError } from "../resource_error.ts";
import { ipText } from "./ip.ts";
import type { AuthorizationMessage, MatchMessage } from "./messages.ts";

const scopes: readonly Policy["scope"][] = ["Global", "Namespace", "WorkloadSelector"];
const actions: readonly Policy["action"][] = ["Allow", "Deny"];

/**
 * @param name the resource's
 * @throws {ResourceError} where the message makes no sense; a scope or an action that is not known cannot be obeyed, and guessing would
 * let in what should stay out
 */
export function policyOf(name: string, message: AuthorizationMessage): Policy {
  if (policyKey(message) !== name) {
    throw new ResourceError(`it is ${policyKey(message)}, expected the resource's name`);
  }
  const scope = scopes[message.scope];
  if (scope === undefined) throw new ResourceError(`scope ${message.scope} is not known`);
  const action = actions[message.action];
  if (action === undefined) throw new ResourceError(`action ${message.action} is not known`);
  for (const { rules } of message.groups) {
    for (const { matches } of rules) matches.forEach(checkAddresses);
  }
  return { name: message.name, namespace: message.namespace, scope, action, dryRun: message.dry_run };
}

function checkAddresses(match: MatchMessage): void {
  const { source_ips, not_source_ips, destination_ips, not_destination_ips } = match;
  for (const prefixes of [source_ips, not_source_ips, destination_ips, not_destination_ips]) {
    for (const { address, length } of prefixes) {
      const text = ipText(address);
      if (length > address.length * 8) throw new ResourceError(`${text}/${length} is no range of addresses`);
    }
  }
}
