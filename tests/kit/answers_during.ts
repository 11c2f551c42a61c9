/** What comes from outside while long work is done in slices. */

import { eventually } from "./eventually.ts";
import type { Slices } from "../../src/host/mod.ts";

/** Asks one question after the other, each on a connection of its own. */
const asker = `
for (;;) {
  const connection = await Deno.connect({ transport: "unix", path: Deno.args[0] });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\\r\\nHost: weft\\r\\nConnection: close\\r\\n\\r\\n"));
  while (await connection.read(new Uint8Array(1024)) !== null);
  connection.close();
}`;

/**
 * Does work in so many slices in this process, while another one asks it over a UNIX socket all the time.
 *
 * @returns how many questions were answered before the work was done
 */
export async function answersDuring(slices: Slices, count: number): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "weft-test-slices-" });
  const path = `${directory}/socket`;
  let answered = 0;
  const server = Deno.serve({ path, onListen: () => {} }, () => {
    answered++;
    return new Response("here");
  });
  await Deno.writeTextFile(`${directory}/asker.ts`, asker);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "-A", "--unstable-net", `${directory}/asker.ts`, path],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await eventually("the first answers", () => answered > 3);
    const before = answered;
    const pause = slices();
    for (let paused = 0; paused < count;) {
      const turn = pause();
      if (turn === undefined) continue;
      await turn;
      paused++;
    }
    return answered - before;
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await server.shutdown();
    await Deno.remove(directory, { recursive: true });
  }
}
