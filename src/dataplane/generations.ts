/** Which generation of each endpoint index was the last: a socket that remembers another one remembers another endpoint. */

export interface Generations {
  /** The last one of an index; that of indexes that were never used is the same for all. */
  of(index: number): number;
  set(index: number, generation: number): void;
  /** That of indexes that were never used. */
  readonly first: number;
}

/** What V8 keeps where it stands; beyond that each number is an object, of which there would be one an endpoint. */
const most = 0x7fff_ffff;

/** The generations go round; 0 stands for an index that was never used. */
export function generationAfter(generation: number): number {
  return ((generation + 1) & most) || 1;
}

/** @param first at random, so that no socket's state of another life matches */
export function createGenerations(
  first = generationAfter(crypto.getRandomValues(new Uint32Array(1))[0]),
): Generations {
  /** 0: never used. Four bytes an index, where a map takes 40. */
  let last = new Uint32Array(1024);
  return {
    first,
    of: (index) => last[index] || first,
    set: (index, generation) => {
      if (index >= last.length) {
        const larger = new Uint32Array(2 ** Math.ceil(Math.log2(index + 1)));
        larger.set(last);
        last = larger;
      }
      last[index] = generation;
    },
  };
}
