/** A priority queue of numbers: the smallest comes first. */
export interface MinHeap {
  push(value: number): void;
  pop(): number | undefined;
  readonly size: number;
}

/** A binary heap. */
export function createMinHeap(): MinHeap {
  const heap: number[] = [];
  return {
    push: (value) => {
      let at = heap.length;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (heap[parent] <= value) break;
        heap[at] = heap[parent];
        at = parent;
      }
      heap[at] = value;
    },
    pop: () => {
      const smallest = heap[0];
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return smallest;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = last;
      return smallest;
    },
    get size() {
      return heap.length;
    },
  };
}
