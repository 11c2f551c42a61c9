/**
 * How V8 is to collect garbage in the product (measured: docs/benchmarks.md, "What was tried").
 *
 * - It collects the whole heap first at 60 MB, which is when a large mesh has just been received and little is in use yet, and then
 *   whenever what is in use has grown by 60 %, where by itself it waits for four times as much.
 * - It marks on the main thread only, in thousands of small steps: with another thread at it, every step of the main thread waits for
 *   that one.
 * - Young objects have 4 MB instead of 16: they die just as young there, and a mesh takes 30 MB less while it arrives.
 */
export const v8Flags = "--v8-flags=--heap-growing-percent=60,--no-concurrent-marking," +
  "--initial-old-space-size=60,--max-semi-space-size=4";
