/** What a consistent policy is to hash. */

import type { HashPolicyMessage } from "./messages.ts";

/** What is hashed besides the client's address, each once, in the words of xDS. */
export function hashesOf(policies: readonly HashPolicyMessage[]): string[] {
  const parts = ["header", "cookie", "query_parameter", "filter_state"] as const;
  return parts.filter((part) => policies.some((policy) => policy[part] !== null));
}

/** The kernel sees a client and no request. @param hashes at least one */
export function hashNote(hashes: readonly string[]): string {
  return `hash_policy by ${hashes.join(", ")} is not honoured, the client's address is hashed`;
}
