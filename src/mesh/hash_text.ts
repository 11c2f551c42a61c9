/**
 * A 32-bit hash of a text, signed: FNV-1a over its UTF-16 units, then MurmurHash3's finaliser to spread the bits.
 *
 * It stays as it is: sockets count under limits whose ids are made of it, and clients keep their endpoints by it, while one version
 * of the agent takes over from another.
 */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
