/** gRPC's framing: each message behind one byte (compressed or not) and its length in four. */

/** What comes is not framed as gRPC has it. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const headerBytes = 5;

/** A message as it goes over the wire. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(headerBytes + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, headerBytes);
  return framed;
}

/** Puts messages together again from what arrives, in whatever pieces. */
export interface FrameReader {
  /**
   * Takes the next bytes, which it does not keep.
   *
   * @returns the messages that they complete, each in memory of its own
   * @throws {FrameError}
   */
  read(bytes: Uint8Array): Uint8Array[];
}

/** @param maxMessageBytes a longer message is an error */
export function createFrameReader(maxMessageBytes: number): FrameReader {
  const header = new Uint8Array(headerBytes);
  let headerFilled = 0;
  let message: Uint8Array | undefined;
  let filled = 0;

  function begin(): Uint8Array {
    if (header[0] !== 0) throw new FrameError("a compressed message, which was not asked for");
    const length = new DataView(header.buffer).getUint32(1);
    if (length > maxMessageBytes) {
      throw new FrameError(`a message of ${length} bytes, expected at most ${maxMessageBytes}`);
    }
    filled = 0;
    return new Uint8Array(length);
  }

  return {
    read: (bytes) => {
      const messages: Uint8Array[] = [];
      let at = 0;
      while (at < bytes.length) {
        if (message === undefined) {
          const part = bytes.subarray(at, at + headerBytes - headerFilled);
          header.set(part, headerFilled);
          headerFilled += part.length;
          at += part.length;
          if (headerFilled < headerBytes) break;
          message = begin();
        }
        const part = bytes.subarray(at, at + message.length - filled);
        message.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < message.length) break;
        messages.push(message);
        message = undefined;
        headerFilled = 0;
      }
      return messages;
    },
  };
}
