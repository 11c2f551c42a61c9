/** Which endpoints are set aside because connects to them fail, and for how long: decided here, done by the dataplane. */
export { changesBetween, type OutlierChange } from "./changes.ts";
export {
  asideOf,
  type Failing,
  type FailureKind,
  type Outlier,
  type OutlierState,
  type PortOutliers,
} from "./outlier.ts";
export { defaultOutlierSettings, ejectionMs, type OutlierSettings } from "./settings.ts";
export { lastTier, mostAside } from "./share.ts";
export { type OutlierEvent, step, type WholePort } from "./step.ts";
