import protobuf from "protobufjs";

/** A resource that cannot be decoded or makes no sense. */
export class ResourceError extends Error {
  override readonly name = "ResourceError";

  /** @param resource its name; "" where it has none that could be read */
  constructor(readonly resource: string, reason: string, options?: ErrorOptions) {
    super(reason, options);
  }
}

/** The first field with the number 1 of a message that is otherwise broken: the name of every resource of mode ads. */
export function nameInBroken(bytes: Uint8Array): string {
  const reader = new protobuf.Reader(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 10) return reader.string();
      reader.skipType(tag & 7);
    }
  } catch {
    // What comes before the name is broken too.
  }
  return "";
}
