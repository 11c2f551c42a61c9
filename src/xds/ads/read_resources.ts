/** The resources of one response, decoded in slices. */

import { createHash } from "node:crypto";
import { anyType, resourceType } from "../proto/mod.ts";
import { nameInBroken, ResourceError } from "./resource_error.ts";
import type { ResourceType } from "./resource_types.ts";

/** A resource as it came. */
export interface Received<T> {
  readonly name: string;
  readonly value: T;
  /** Of its bytes: what comes again unchanged is not decoded again, and stays the same object. */
  readonly digest: string;
}

/** Resources by name, or what is wrong with some of them. */
export interface ReadResources<T> {
  readonly received: ReadonlyMap<string, Received<T>>;
  /** Then nothing of the response is to be applied. */
  readonly errors: readonly ResourceError[];
}

const wrapperUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/**
 * @param resources each resource's bytes, a google.protobuf.Any
 * @param held what is held, by digest
 * @param pause called after each resource
 */
export async function readResources<T extends { readonly name: string }>(
  type: ResourceType<T>,
  resources: readonly Uint8Array[],
  held: ReadonlyMap<string, T>,
  pause: () => Promise<void> | undefined,
): Promise<ReadResources<T>> {
  const received = new Map<string, Received<T>>();
  const errors: ResourceError[] = [];
  for (const bytes of resources) {
    try {
      const digest = createHash("sha256").update(bytes).digest("base64");
      const value = held.get(digest) ?? decodeResource(type, bytes);
      if (received.has(value.name)) throw new ResourceError(value.name, "is in the response twice");
      received.set(value.name, { name: value.name, value, digest });
    } catch (error) {
      if (!(error instanceof ResourceError)) throw error;
      errors.push(error);
    }
    await pause();
  }
  return { received, errors };
}

/** @throws {ResourceError} */
function decodeResource<T>(type: ResourceType<T>, bytes: Uint8Array): T {
  const value = unwrap(type, bytes);
  try {
    return type.decode(value);
  } catch (cause) {
    throw new ResourceError(nameInBroken(value), reasonOf(cause), { cause });
  }
}

/** The resource itself: it may come in a wrapper that gives it a name once more. @throws {ResourceError} */
function unwrap<T>(type: ResourceType<T>, bytes: Uint8Array): Uint8Array {
  let any;
  try {
    any = anyType.decode(bytes);
    if (any.type_url === wrapperUrl) any = resourceType.decode(any.value).resource;
  } catch (cause) {
    throw new ResourceError("", reasonOf(cause), { cause });
  }
  if (any?.type_url !== type.typeUrl) {
    throw new ResourceError(
      "",
      `is of type ${JSON.stringify(any?.type_url ?? "")}, expected ${type.typeUrl}`,
    );
  }
  return any.value;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
