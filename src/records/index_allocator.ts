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
  /** 1: taken. A byte each, where a set takes 40. */
  let taken = new Uint8Array(1024);
  const free: number[] = [];
  let end = first;
  let used = 0;
  const mark = (index: number) => {
    if (index >= taken.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(index + 1)));
      larger.set(taken);
      taken = larger;
    }
    if (taken[index] === 0) used++;
    taken[index] = 1;
  };
  return {
    take: () => {
      let index = free.pop();
      // Reserving leaves its index in `free`, and `end` falls below those at the top.
      while (index !== undefined && (index >= end || taken[index] === 1)) index = free.pop();
      if (index === undefined) index = end++;
      mark(index);
      return index;
    },
    giveBack: (index) => {
      if (taken[index] !== 1) throw new Error(`index ${index} was given back but not taken`);
      taken[index] = 0;
      used--;
      if (index < end - 1) free.push(index);
      while (end > first && taken[end - 1] === 0) end--;
    },
    reserve: (index) => {
      for (; end <= index; end++) {
        if (end !== index) free.push(end);
      }
      mark(index);
    },
    get used() {
      return used;
    },
    get end() {
      return end;
    },
  };
}
