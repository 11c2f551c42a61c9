import protobuf from "protobufjs";

const nameTag = (1 << 3) | 2;

/** The name of a resource that cannot be accepted, "" where even that cannot be read: every type of mode ads has it in field 1. */
export function nameInBroken(bytes: Uint8Array): string {
  const reader = new protobuf.Reader(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === nameTag) return reader.string();
      reader.skipType(tag & 7);
    }
  } catch {
    // What comes before the name is broken too.
  }
  return "";
}
