/** A resource that cannot be accepted. */
export class ResourceError extends Error {
  override readonly name = "ResourceError";

  /** @param reason what was expected and what was found; without the resource's name, which whoever refuses it adds */
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
  }
}
