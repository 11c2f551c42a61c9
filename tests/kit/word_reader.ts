/** A reader of 64-bit words in a map, on a thread of its own. */

import { z } from "zod";
import type { WordReaderTask } from "./_word_reader_worker.ts";

export interface WordsSeen {
  /** How often the words were not all the same. */
  readonly differing: number;
  /** How often each word was seen, by its hexadecimal digits. */
  readonly words: Readonly<Record<string, number>>;
}

const result = z.object({ differing: z.number(), words: z.record(z.string(), z.number()) });

/** Reads the words so many times, as fast as it can. */
export async function readWords(task: WordReaderTask): Promise<WordsSeen> {
  const worker = new Worker(new URL("_word_reader_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(result.parse(data));
      worker.onerror = (event) => reject(new Error(`the reader failed: ${event.message}`));
      worker.postMessage(task);
    });
  } finally {
    worker.terminate();
  }
}
