/**
 * Protobuf messages from the texts of .proto files.
 *
 * The files hold only what weft uses; fields that they leave out are skipped on the wire, as proto3 has it. They are imported
 * as text, so that they are inside the compiled binary too: `import discovery from "./discovery.proto" with { type: "text" }`.
 */

import protobuf from "protobufjs";
import google from "./google.proto" with { type: "text" };

/** Encodes and decodes one message. Field names are as in the .proto file (snake_case). */
export interface MessageType<T extends object> {
  readonly name: string;
  /** Fields that are missing or `undefined` are not written. */
  encode(message: Partial<T>): Uint8Array;
  /**
   * Reads a message; a field that is not on the wire has its default value (a message: `null`), and an enum is its number, known
   * or not. A 64-bit field is an object (Long), or a
   * number: the text of either says how much it is.
   *
   * @param bytes `bytes` fields are views into it, not copies
   * @throws {Error} where the bytes are no such message; without the field's name, for the wire has none
   */
  decode(bytes: Uint8Array): T;
  /** The number of a field. @throws {Error} where there is none of that name */
  field(name: string & keyof T): number;
}

/** The messages of some .proto files. */
export interface Schema {
  /**
   * @param name with its package, such as `envoy.discovery.DiscoveryRequest`
   * @throws {Error} where there is no such message
   */
  message<T extends object>(name: string): MessageType<T>;
}

/**
 * Reads the texts of .proto files that belong together; `google.proto` is always among them, other imports are resolved by name
 * among the texts.
 */
export function createSchema(...texts: readonly string[]): Schema {
  const root = new protobuf.Root();
  for (const text of [google, ...texts]) protobuf.parse(text, root, { keepCase: true });
  root.resolveAll();
  return {
    message: <T extends object>(name: string): MessageType<T> => {
      const type = root.lookupType(name);
      return {
        name,
        encode: (message) => type.encode(message, new protobuf.Writer()).finish(),
        // The decoded object inherits defaults from the type's prototype. Reader itself, for the one that Reader.create makes of a
        // Buffer takes strings that are cut off.
        decode: (bytes) => type.decode(new protobuf.Reader(bytes)) as unknown as T,
        field: (field) => {
          const found = type.fields[field];
          if (found === undefined) throw new Error(`message ${name} has no field ${field}`);
          return found.id;
        },
      };
    },
  };
}
