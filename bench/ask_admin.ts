/** A program: asks an agent for its status, again and again, and prints how long each answer took, in milliseconds. */

import { sleep } from "../src/host/mod.ts";
import { askAgent } from "../src/observe/admin_client.ts";
import { statusResponse } from "../src/observe/api.ts";

const [socket, pauseMs] = Deno.args;

for (;;) {
  const start = performance.now();
  await askAgent(socket, "/status", statusResponse);
  console.log((performance.now() - start).toFixed(2));
  await sleep(Number(pauseMs));
}
