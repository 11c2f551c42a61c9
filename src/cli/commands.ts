import type { Command } from "./command.ts";
import { demoCommand } from "./demo.ts";
import { demoPeerCommand } from "./demo_peer.ts";
import { detachCommand } from "./detach.ts";
import { doctorCommand } from "./doctor.ts";
import { endpointsCommand } from "./endpoints.ts";
import { explainCommand } from "./explain.ts";
import { metricsCommand } from "./metrics.ts";
import { recordsCommand } from "./records.ts";
import { resourcesCommand } from "./resources.ts";
import { runCommand } from "./run.ts";
import { servicesCommand } from "./services.ts";
import { statusCommand } from "./status.ts";
import { versionCommand } from "./version_command.ts";
import { workloadsCommand } from "./workloads.ts";

/** All commands but `help`, in the order in which help lists them. */
export const commands: readonly Command[] = [
  runCommand,
  statusCommand,
  servicesCommand,
  workloadsCommand,
  endpointsCommand,
  explainCommand,
  resourcesCommand,
  recordsCommand,
  metricsCommand,
  detachCommand,
  doctorCommand,
  demoCommand,
  versionCommand,
  demoPeerCommand,
];
