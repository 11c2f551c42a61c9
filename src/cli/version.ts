import config from "../../deno.json" with { type: "json" };

/** weft's version, as `deno.json` says it; a compiled binary carries that file. */
export const version: string = config.version;
