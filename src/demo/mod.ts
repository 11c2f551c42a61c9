/** `weft demo`: a small world in which a person sees within twenty seconds what weft does. */
export { type DemoOptions, playDemo } from "./play.ts";
export { drawSummary, type Page } from "./screen.ts";
export { createStage, type Stage, type StageOptions } from "./stage.ts";
export type { ActResult, DemoReport, View } from "./view.ts";
