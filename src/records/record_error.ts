/** A record was asked for, or used, in a way that cannot be; nothing was changed. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}
