/** The demo's small world: a namespace for the client and one for each backend, cgroups, a mesh file, a pin root. */

import { openShim } from "../../ffi/mod.ts";
import { detachAll, runtimePaths } from "../agent/mod.ts";
import { pinPaths } from "../dataplane/mod.ts";
import {
  bpffsPath,
  cgroup2Mount,
  createCgroup,
  createNetwork,
  HostError,
  type Place,
  removeLeftoverCgroups,
  removeLeftoverNamespaces,
  run,
} from "../host/mod.ts";
import { backends } from "./mesh.ts";
import { demoPaths, leftovers, prefix } from "./names.ts";

/** Where everything is. Disposing of it removes everything; end the processes in it before. */
export interface World extends AsyncDisposable {
  /** The cgroup that weft balances: the client's, and nobody else's. */
  readonly balanced: string;
  readonly pinRoot: string;
  readonly meshFile: string;
  /** Replaces the mesh file as a whole, as a careful operator does. */
  readonly writeMesh: (text: string) => void;
  /** @param who `client`, `agent`, or a backend's name */
  readonly place: (who: string) => Place;
}

/** All addresses are on one link, as far apart as their zones may be. */
const prefixLength = 16;
const clientAddresses = ["10.77.0.2", "fd77::2"];
const gateways = ["10.77.0.1", "fd77::1"];
const onLink = (addresses: readonly string[]) => addresses.map((address) => `${address}/${prefixLength}`);

/**
 * Builds the world, after what killed demos left has been removed.
 *
 * @throws {HostError} where the host lacks something; then nothing is left
 */
export async function createWorld(): Promise<World> {
  await checkHost();
  const cgroups = cgroup2Mount();
  await removeLeftovers(cgroups);
  const paths = demoPaths();
  await using stack = new AsyncDisposableStack();
  Deno.mkdirSync(paths.files, { recursive: true, mode: 0o700 });
  stack.defer(() => Deno.remove(paths.files, { recursive: true }));
  const network = stack.use(
    await createNetwork({
      prefix,
      gateways: onLink(gateways),
      namespaces: [
        { name: "client", addresses: onLink(clientAddresses) },
        ...backends.map(({ name, addresses }) => ({ name, addresses: onLink(Object.values(addresses)) })),
      ],
    }),
  );
  // All processes are below one cgroup of ours, so that the next demo finds those that a killed one left.
  const cgroup = stack.use(createCgroup(cgroups, paths.cgroup));
  const balanced = stack.use(createCgroup(cgroup.path, "clients"));
  const others = stack.use(createCgroup(cgroup.path, "others"));
  stack.defer(() => removePinRoot(paths.pinRoot));
  const everything = stack.move();
  return {
    balanced: balanced.path,
    pinRoot: paths.pinRoot,
    meshFile: paths.meshFile,
    writeMesh: (text) => {
      Deno.writeTextFileSync(`${paths.meshFile}.new`, text);
      Deno.renameSync(`${paths.meshFile}.new`, paths.meshFile);
    },
    place: (who) => ({
      cgroup: who === "client" ? balanced.path : others.path,
      namespace: who === "agent" ? undefined : network.namespace(who),
    }),
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

async function checkHost(): Promise<void> {
  if (Deno.uid() !== 0) {
    throw new HostError(
      "weft demo needs root: it makes network namespaces and loads BPF programs",
      "run it with sudo",
    );
  }
  try {
    await run(["ip", "-Version"]);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new HostError(
      "weft demo needs the program ip, which makes its network namespaces",
      "install it: apt-get install iproute2",
      { cause: error },
    );
  }
}

/** Processes go first: an orphaned agent would hold on to its pins. */
async function removeLeftovers(cgroups: string): Promise<void> {
  await removeLeftoverCgroups(cgroups, prefix);
  await removeLeftoverNamespaces(prefix);
  for (const pinRoot of leftovers(bpffsPath)) removePinRoot(pinRoot);
  for (const path of leftovers(runtimePaths(bpffsPath).directory)) Deno.removeSync(path, { recursive: true });
}

/** Takes an agent that no longer runs out of the kernel, and removes what it kept elsewhere. */
function removePinRoot(pinRoot: string): void {
  const { lock, socket } = runtimePaths(pinRoot);
  using shim = openShim();
  detachAll(shim, pinPaths(pinRoot));
  for (const path of [lock, socket]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
