import type { workload } from "../../ffi/mod.ts";

function mix(hash: number, word: number, factor: number): number {
  const product = Math.imul(hash ^ word, factor);
  return product ^ product >>> 16;
}

/** What ties the halves of a word to each other: `tie()` in bpf/lb.h. */
function tie(id: number): number {
  return Math.imul(id, 0x9e3779b1);
}

/** A frontend's word. Its tag is `frontend_tag()` of bpf/lb.h, tied to the id; there it says why. */
export function frontendWord(key: workload.FrontendKey, servicePort: number): workload.Frontend {
  return { servicePort, tag: (frontendTag(key) ^ tie(servicePort)) >>> 0 };
}

/** A range's word. Its tag is `range_tag()` of bpf/lb.h, tied to the id but for the last byte, which is the prefix's length. */
export function rangeWord(key: workload.RangeKey, id: number): workload.Range {
  return { id, tag: (rangeTag(key) ^ tie(id) & 0xffffff00) >>> 0 };
}

/** A limit's word. Its tag is the limit's id, tied to the most connections: `find_limit()` of bpf/held.h. */
export function limitWord(id: number, most: number): workload.ConnectionLimit {
  return { most, tag: (id ^ tie(most)) >>> 0 };
}

/** What ties a frontend's word to its key: the same as `frontend_tag()` in bpf/lb.h. */
export function frontendTag(key: workload.FrontendKey): number {
  const words = new DataView(key.address.buffer, key.address.byteOffset, 16);
  let hash = mix(0, words.getUint32(0, true), 0x9e3779b1);
  hash = mix(hash, words.getUint32(4, true), 0x85ebca77);
  hash = mix(hash, words.getUint32(8, true), 0xc2b2ae3d);
  hash = mix(hash, words.getUint32(12, true), 0x27d4eb2f);
  // The port lies in network order and is read as the machine reads it.
  const port = (key.port & 0xff) << 8 | key.port >> 8;
  return mix(hash, port << 8 | key.protocol, 0x165667b1) >>> 0;
}

/** What ties a range's word to its key: the same as `range_tag()` in bpf/lb.h. @param address the range's first */
export function rangeTag({ address, prefixLength }: workload.RangeKey): number {
  const words = new DataView(address.buffer, address.byteOffset, 16);
  let hash = mix(0, words.getUint32(0, true), 0x9e3779b1);
  hash = mix(hash, words.getUint32(4, true), 0x85ebca77);
  hash = mix(hash, words.getUint32(8, true), 0xc2b2ae3d);
  hash = mix(hash, words.getUint32(12, true), 0x27d4eb2f);
  return ((hash & 0xffffff00) | prefixLength) >>> 0;
}
