import type { workload } from "../../ffi/mod.ts";

/**
 * What ties a frontend's word to its key: the same as `frontend_tag()` in bpf/lb.h, which explains why.
 *
 * Each step multiplies 32 by 32 bits and folds the upper half in only at the end, so 32-bit arithmetic gives the lower half
 * and the upper half is needed once.
 */
export function frontendTag(key: workload.FrontendKey): number {
  const words = new DataView(key.address.buffer, key.address.byteOffset, 16);
  let hash = words.getUint32(0, true);
  hash = Math.imul(hash ^ words.getUint32(4, true), 0x9e3779b1) >>> 0;
  hash = Math.imul(hash ^ words.getUint32(8, true), 0x85ebca77) >>> 0;
  hash = Math.imul(hash ^ words.getUint32(12, true), 0xc2b2ae3d) >>> 0;
  // The port lies in network order and is read as the machine reads it.
  const portWord = ((key.port & 0xff) << 8 | key.port >> 8) << 8 | key.protocol;
  const factor = (hash ^ portWord) >>> 0;
  const low = Math.imul(factor, 0x27d4eb2f) >>> 0;
  const high = Number((BigInt(factor) * 0x27d4eb2fn) >> 32n);
  return (low ^ high) >>> 0;
}
