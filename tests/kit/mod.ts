/** The test kit: every resource cleans up after itself, also when a test fails. */
export { type AddressPort, at, mapped, split, unmapped } from "./address.ts";
export {
  type AgentOptions,
  type CommandResult,
  type LogLine,
  runWeft,
  type Services,
  startAgent,
  type TestAgent,
  weftCommand,
} from "./agent.ts";
export { buildSlowReader } from "./build_slow_reader.ts";
export {
  type ControlPlane,
  type ControlPlaneOptions,
  type ControlStream,
  createControlPlane,
} from "./control_plane.ts";
export { describeKernel } from "./describe_kernel.ts";
export { canTellMptcp } from "./mptcp.ts";
export { eventually } from "./eventually.ts";
export { flawless, type Hammer, type HammerKind, type HammerOptions, type HammerResult } from "./hammer.ts";
export { removeLeftovers, testPrefix } from "./leftovers.ts";
export { members, meshFile, type Ports, serviceName, type TestMember, type TestService } from "./mesh.ts";
export { sharedDirectory } from "./shared.ts";
export { patience, rate, repetitions } from "./slow.ts";
export { type Answer, type RemoteSocket, SocketError, type SocketKind, type Sockets } from "./sockets.ts";
export { assertSpread, chiSquaredTail, significance } from "./statistics.ts";
export { createTcpProxy, type TcpProxy } from "./tcp_proxy.ts";
export { createTestNet, serverAt, type TestNet, type TestNetOptions, type TestServer } from "./test_net.ts";
export { assertHealthy, useWorld, type World, type WorldOptions } from "./use_world.ts";
export { readWords, type WordsSeen } from "./word_reader.ts";
export {
  addressUrl,
  authorizationUrl,
  meshResources,
  policyResource,
  serviceResource,
  workloadResource,
} from "./workload_api.ts";
