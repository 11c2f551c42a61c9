/**
 * A program: asks an agent for its status, again and again, and prints how long each answer took, in milliseconds. At SIGTERM it waits
 * for the last one.
 */

import { sleep } from "../src/host/mod.ts";
import { askAgent } from "../src/observe/admin_client.ts";
import { statusResponse } from "../src/observe/api.ts";

const [socket, pauseMs] = Deno.args;

let ended = false;
Deno.addSignalListener("SIGTERM", () => ended = true);
while (!ended) {
  const start = performance.now();
  await askAgent(socket, "/status", statusResponse);
  console.log((performance.now() - start).toFixed(2));
  await sleep(Number(pauseMs));
}
Deno.exit();
