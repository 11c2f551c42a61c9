/** When endpoints are set aside because connects to them fail, as flags of `run`. */

import { defaultOutlierSettings, type OutlierSettings } from "../outlier_detection/settings.ts";
import { UsageError } from "./user_error.ts";

const { consecutiveFailures, baseEjectionMs, maxEjectionMs, maxEjectionPercent } = defaultOutlierSettings;

export const outlierFlags = [
  {
    kind: "choice",
    name: "outlier-detection",
    valueName: "WHETHER",
    env: "WEFT_OUTLIER_DETECTION",
    choices: ["on", "off"],
    default: "on",
    help:
      "set endpoints aside for a while when TCP connects to them fail; a service may say outlierDetection: Off",
  },
  {
    kind: "integer",
    name: "consecutive-failures",
    valueName: "N",
    env: "WEFT_CONSECUTIVE_FAILURES",
    minimum: 1,
    maximum: 1_000_000,
    default: consecutiveFailures,
    help: "set an endpoint aside after so many failed connects in a row",
  },
  {
    kind: "duration",
    name: "base-ejection-time",
    valueName: "TIME",
    env: "WEFT_BASE_EJECTION_TIME",
    default: `${baseEjectionMs / 1000}s`,
    help: "for how long the first time; twice as long each further time in a row",
  },
  {
    kind: "duration",
    name: "max-ejection-time",
    valueName: "TIME",
    env: "WEFT_MAX_EJECTION_TIME",
    default: `${maxEjectionMs / 1000}s`,
    help: "never longer than this, or than the first time where that is longer",
  },
  {
    kind: "integer",
    name: "max-ejection-percent",
    valueName: "PERCENT",
    env: "WEFT_MAX_EJECTION_PERCENT",
    minimum: 0,
    maximum: 100,
    default: maxEjectionPercent,
    help:
      "the most of a service's last tier that is set aside, but one endpoint at least and never all; 0: none",
  },
] as const;

/** What the flags say; `undefined`: off. @throws {UsageError} */
export function outlierSettings(flags: {
  readonly "outlier-detection": "on" | "off";
  readonly "consecutive-failures": number;
  readonly "base-ejection-time": number;
  readonly "max-ejection-time": number;
  readonly "max-ejection-percent": number;
}): OutlierSettings | undefined {
  if (flags["outlier-detection"] === "off") return undefined;
  if (flags["base-ejection-time"] === 0) {
    throw new UsageError("--base-ejection-time must be longer than 0", "or --outlier-detection off");
  }
  return {
    consecutiveFailures: flags["consecutive-failures"],
    baseEjectionMs: flags["base-ejection-time"],
    maxEjectionMs: flags["max-ejection-time"],
    maxEjectionPercent: flags["max-ejection-percent"],
  };
}
