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
  /**
   * The value of index 0 of an array that may be mapped, read where it is, as a BPF program reads it. A look-up is the kernel's
   * copy, which may be torn by the copying alone.
   */
  readonly inPlace: boolean;
}

/** The first page of a map. */
function mapFirstPage(fd: number): { readonly buffer: ArrayBuffer } & Disposable {
  const libc = Deno.dlopen("libc.so.6", {
    mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    munmap: { parameters: ["pointer", "usize"], result: "i32" },
  });
  const [size, readable, shared] = [4096n, 1, 1];
  const address = libc.symbols.mmap(null, size, readable, shared, fd, 0n);
  if (address === null || Deno.UnsafePointer.value(address) === 0xffffffffffffffffn) {
    throw new Error("the map cannot be mapped");
  }
  return {
    buffer: Deno.UnsafePointerView.getArrayBuffer(address, Number(size)),
    [Symbol.dispose]: () => {
      libc.symbols.munmap(address, size);
      libc.close();
    },
  };
}

function read({ mapId, key, valueSize, wordsAt, reads, inPlace }: WordReaderTask) {
  using stack = new DisposableStack();
  const shim = stack.use(openShim());
  const fd = openMapById(shim, mapId);
  if (fd === undefined) throw new Error(`there is no map ${mapId}`);
  stack.defer(() => closeFd(shim, fd));
  const value = new Uint8Array(inPlace ? stack.use(mapFirstPage(fd)).buffer : new ArrayBuffer(valueSize));
  const [first, ...others] = wordsAt.map((at) => new BigUint64Array(value.buffer, at, 1));
  const words = new Map<bigint, number>();
  let differing = 0;
  for (let i = 0; i < reads; i++) {
    if (!inPlace) check(shim.call.weft_map_lookup(fd, key, value), "look up in", `map ${mapId}`);
    const word = Atomics.load(first, 0);
    if (others.some((other) => Atomics.load(other, 0) !== word)) differing++;
    else words.set(word, (words.get(word) ?? 0) + 1);
  }
  return {
    differing,
    words: Object.fromEntries([...words].map(([word, count]) => [word.toString(16), count])),
  };
}

declare const self: DedicatedWorkerGlobalScope;

self.onmessage = ({ data }: MessageEvent<WordReaderTask>) => self.postMessage(read(data));
