import {
  bpffsPath,
  cgroup2Mount,
  isLeftover,
  removeLeftoverCgroups,
  removeLeftoverNamespaces,
} from "../../src/host/mod.ts";

/** What everything that a test makes outside its own process is called by; its owner follows. */
export const testPrefix = "weft-test";

/** Removes what killed test runs left behind: processes first, then their networks, pins and files. */
export async function removeLeftovers(): Promise<void> {
  await removeLeftoverCgroups(cgroup2Mount(), testPrefix);
  await removeLeftoverNamespaces(testPrefix);
  for (const directory of [bpffsPath, "/tmp"]) {
    for (const entry of Deno.readDirSync(directory)) {
      if (isLeftover(entry.name, testPrefix)) {
        Deno.removeSync(`${directory}/${entry.name}`, { recursive: true });
      }
    }
  }
}
