/** Runs checks one after the other, each apart from the others. */

import type { CheckResult, CheckSpec, Finding, Passed } from "./check.ts";
import { describeFailure } from "./failure.ts";

/** What the findings hold, in their order. */
type Values<Needs extends readonly Finding<unknown>[]> = {
  -readonly [I in keyof Needs]: Needs[I] extends Finding<infer T> ? T : never;
};

/** The checks of one section. */
export interface Section {
  /**
   * Runs a check, or skips it where something that it needs was not found. Whatever it throws becomes a line of the report.
   *
   * @param needs findings whose values `run` gets
   * @throws the signal's reason, when it is aborted
   */
  check<const Needs extends readonly Finding<unknown>[], T>(
    spec: CheckSpec,
    needs: Needs,
    run: (...values: Values<Needs>) => Passed<T> | Promise<Passed<T>>,
  ): Promise<Finding<T>>;
}

export interface Checklist {
  section(name: string): Section;
}

/**
 * @param onResult called with each result as it comes
 * @param signal is looked at before each check
 */
export function createChecklist(onResult: (result: CheckResult) => void, signal: AbortSignal): Checklist {
  return {
    section: (section) => ({
      check: async (spec, needs, run) => {
        await letSignalsIn();
        signal.throwIfAborted();
        const { id, title } = spec;
        const started = performance.now();
        const tell = (result: Pick<CheckResult, "status" | "detail" | "remedy">) => {
          const durationMs = Math.round((performance.now() - started) * 100) / 100;
          onResult({ id, section, title, ...result, durationMs });
        };
        const missing = needs.find((need) => !need.found);
        if (missing !== undefined) {
          tell({ status: "skipped", detail: `because of: ${missing.because}`, remedy: null });
          return missing;
        }
        try {
          const passed = await run(...valuesOf(needs));
          const { value, detail, warning } = passed;
          tell({ status: warning === undefined ? "ok" : "warning", detail, remedy: warning ?? null });
          return { found: true, value };
        } catch (error) {
          tell({ status: spec.optional ? "warning" : "failed", ...describeFailure(error, spec) });
          return { found: false, because: title };
        }
      },
    }),
  };
}

/** Checks block the thread; between two of them Ctrl-C is heard. */
function letSignalsIn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function valuesOf<Needs extends readonly Finding<unknown>[]>(needs: Needs): Values<Needs> {
  // The compiler does not carry the tuple's type through map().
  return needs.map((need) => need.found ? need.value : undefined) as Values<Needs>;
}
