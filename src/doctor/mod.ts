/** What this kernel and host can do. */
export { type CheckResult, type Status } from "./check.ts";
export { type DoctorOptions, runDoctor } from "./doctor.ts";
export { type Feature } from "./features.ts";
export { type ProgramOnHook } from "./foreign_programs.ts";
export { type DoctorReport } from "./report.ts";
