/** The data path of an agent, in this process. */

import { closeFd, openDirectory, type Shim } from "../../ffi/mod.ts";
import { detachAll } from "../../src/agent/mod.ts";
import { probePublishThreads } from "../../src/agent/publish_threads.ts";
import {
  type Datapath,
  type DatapathOptions,
  defaultSizes,
  defaultSocketSizes,
  type MeshSizes,
  openDatapath,
  pinPaths,
  probeFeatures,
} from "../../src/dataplane/mod.ts";
import { bpffsPath } from "../../src/host/mod.ts";
import { defaultWatermarks } from "../../src/records/mod.ts";
import type { TestNet } from "../kit/mod.ts";

/** Where a data path is put. Disposing of it removes all that is pinned there. */
export interface DatapathPlace extends Disposable {
  readonly options: DatapathOptions;
  /** Opens what is pinned, or something new. The one before must be closed. */
  readonly open: () => Datapath;
}

/**
 * A place for a data path on the balanced cgroup of a test net, with the sizes that an agent has.
 *
 * @param name tells those of one test net apart
 */
export async function createDatapathPlace(
  shim: Shim,
  net: TestNet,
  name: string,
  sizes: Partial<MeshSizes> = {},
): Promise<DatapathPlace> {
  const publishThreads = await probePublishThreads(shim);
  const cgroup = { fd: openDirectory(shim, net.cgroup.path), id: net.cgroup.id };
  const paths = pinPaths(`${bpffsPath}/${net.id}-${name}`);
  Deno.mkdirSync(paths.root, { mode: 0o700 });
  const options: DatapathOptions = {
    paths,
    sizes: { ...defaultSizes, ...sizes },
    socketSizes: defaultSocketSizes,
    cgroup,
    features: probeFeatures(shim),
    publishThreads,
    watermarks: defaultWatermarks,
    maxRecords: defaultSizes.records,
  };
  return {
    options,
    open: () => openDatapath(shim, options),
    [Symbol.dispose]: () => {
      detachAll(shim, paths);
      closeFd(shim, cgroup.fd);
    },
  };
}
