/** Hands out small numbers: indexes of arrays in the kernel. */
export interface IndexAllocator {
  /** A free index; the highest ever handed out grows where none was given back. */
  take(): number;
  giveBack(index: number): void;
  /** Marks an index as taken that was found in the kernel. */
  reserve(index: number): void;
  /** How many are taken. */
  readonly used: number;
  /** One more than the highest index that was ever taken: what a kernel array must have room for. */
  readonly end: number;
}

/** @param first the lowest index to hand out; those below are reserved for good */
export function createIndexAllocator(first: number): IndexAllocator {
  const taken = new Set<number>();
  const free: number[] = [];
  let end = first;
  return {
    take: () => {
      let index = free.pop();
      // Reserving leaves its index in `free`.
      while (index !== undefined && taken.has(index)) index = free.pop();
      if (index === undefined) index = end++;
      taken.add(index);
      return index;
    },
    giveBack: (index) => {
      if (!taken.delete(index)) throw new Error(`index ${index} was given back but not taken`);
      free.push(index);
    },
    reserve: (index) => {
      for (; end <= index; end++) {
        if (end !== index) free.push(end);
      }
      taken.add(index);
    },
    get used() {
      return taken.size;
    },
    get end() {
      return end;
    },
  };
}
