/**
 * How V8 is to collect garbage in the product (measured: docs/benchmarks.md, "What was tried"). It collects when what is in use has
 * doubled, where by itself it waits for four times as much; and it marks on the main thread only, in thousands of small steps: with
 * another thread at it, every step of the main thread waits for that one.
 */
export const v8Flags = "--v8-flags=--heap-growing-percent=100,--no-concurrent-marking";
