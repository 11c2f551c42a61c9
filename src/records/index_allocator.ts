/** Hands out small numbers: indexes of arrays in the kernel. */
export interface IndexAllocator {
  /** A free index; `end` grows only where there is none below it. */
  take(): number;
  giveBack(index: number): void;
  /** Marks an index as taken that was found in the kernel. */
  reserve(index: number): void;
  /** How many are taken. */
  readonly used: number;
  /** One more than the highest index that is taken: what a kernel array must have room for. */
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
      // Reserving leaves its index in `free`, and `end` falls below those at the top.
      while (index !== undefined && (index >= end || taken.has(index))) index = free.pop();
      if (index === undefined) index = end++;
      taken.add(index);
      return index;
    },
    giveBack: (index) => {
      if (!taken.delete(index)) throw new Error(`index ${index} was given back but not taken`);
      if (index < end - 1) free.push(index);
      while (end > first && !taken.has(end - 1)) end--;
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
