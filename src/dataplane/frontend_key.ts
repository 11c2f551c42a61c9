/** Frontends and ranges as the kernel's maps have them. */

import { workload } from "../../ffi/mod.ts";
import { addressToBytes, familyOf } from "../mesh/mod.ts";
import { type Applied, isRange, rangeIdOf } from "./applied.ts";
import type { DesiredFrontend } from "./desired.ts";

/** What stands for the address of a range that was found without its prefix: only its id is known. */
export function lostRange(id: number): string {
  return `#${id}`;
}

/** The key of a frontend in map `frontends`; that of a range has the range's id in place of an address. */
export function frontendKey(
  applied: Applied,
  { address, port, protocol }: Pick<DesiredFrontend, "address" | "port" | "protocol">,
): workload.FrontendKey {
  const isLost = address.startsWith("#");
  if (!isLost && !isRange(address)) return { address: addressToBytes(address), port, protocol };
  const bytes = new Uint8Array(16);
  const id = isLost ? Number(address.slice(1)) : rangeIdOf(applied, address);
  new DataView(bytes.buffer).setUint32(0, id, true);
  return { address: bytes, port, protocol: protocol | workload.frontendFlag.FRONTEND_RANGE };
}

/** The key of a range (`address/length`, host bits clear) in map `ranges`. */
export function rangeKeyOf(range: string): workload.RangeKey {
  const [address, length] = range.split("/");
  return {
    address: addressToBytes(address),
    prefixLength: Number(length) + (familyOf(address) === 4 ? 96 : 0),
  };
}
