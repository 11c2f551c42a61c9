/// <reference lib="webworker" />
import { check, closeFd, openMapById, openShim } from "../../ffi/mod.ts";

/** What to read. */
export interface WordReaderTask {
  readonly mapId: number;
  readonly key: Uint8Array<ArrayBuffer>;
  /** In bytes. */
  readonly valueSize: number;
  /** Where words are in the value, in bytes. */
  readonly wordsAt: readonly number[];
  readonly reads: number;
}

function read({ mapId, key, valueSize, wordsAt, reads }: WordReaderTask) {
  using shim = openShim();
  const fd = openMapById(shim, mapId);
  if (fd === undefined) throw new Error(`there is no map ${mapId}`);
  const value = new Uint8Array(valueSize);
  const [first, ...others] = wordsAt.map((at) => new BigUint64Array(value.buffer, at, 1));
  const words = new Map<bigint, number>();
  let differing = 0;
  for (let i = 0; i < reads; i++) {
    check(shim.call.weft_map_lookup(fd, key, value), "look up in", `map ${mapId}`);
    if (others.some((other) => other[0] !== first[0])) differing++;
    else words.set(first[0], (words.get(first[0]) ?? 0) + 1);
  }
  closeFd(shim, fd);
  return {
    differing,
    words: Object.fromEntries([...words].map(([word, count]) => [word.toString(16), count])),
  };
}

declare const self: DedicatedWorkerGlobalScope;

self.onmessage = ({ data }: MessageEvent<WordReaderTask>) => self.postMessage(read(data));
