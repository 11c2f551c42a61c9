/** Slices of long work with a rest on another thread between them. */

import type { Shim } from "../../ffi/mod.ts";
import { createSlices, type Slices } from "../host/mod.ts";

/** In microseconds: enough for what comes meanwhile to be read and answered, where a timer would take ten times as long. */
const restUs = 200;

/** In milliseconds: a rest that nobody uses takes half a one. */
const usedRestMs = 0.7;

/** Makes slices with a short sleep between them. */
export function shimSlices(shim: Shim): Slices {
  return createSlices(() => shim.call.weft_rest(restUs), usedRestMs);
}
