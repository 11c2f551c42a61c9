/** Protobuf: the messages of an xDS stream, and how those of its resources are read. */

export * from "./discovery.ts";
export { createByteMemo } from "./byte_memo.ts";
export { createFieldReader, type FieldReader, type FieldVisitor } from "./field_reader.ts";
export { enumName } from "./enum_names.ts";
export { createSchema, type MessageType, type Schema } from "./schema.ts";
export { type Envelope, EnvelopeError, type EnvelopeFields, readEnvelope } from "./envelope.ts";
