/** Mode workload: istio's workload API over the delta protocol. */

export { createWorkloadProtocol } from "./protocol.ts";
