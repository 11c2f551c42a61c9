import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { z } from "zod";
import { timedSlices } from "../../src/host/mod.ts";
import { AgentAnswerError, AgentNotRunning, askAgent } from "../../src/observe/admin_client.ts";
import { type AdminServer, type AdminViews, serveAdmin } from "../../src/observe/admin_server.ts";
import { workloadsResponse } from "../../src/observe/api.ts";

const row = (n: number) => ({
  ...{ uid: `w${n}`, addresses: [], network: "", node: "", locality: "", status: "Healthy" as const },
  ...{ capacity: 1, services: [] },
});

/** Only what a test says is there to be asked for. */
function viewsOf(some: Partial<AdminViews>): AdminViews {
  const missing = () => {
    throw new Error("this test asks for nothing else");
  };
  return {
    ...{ status: missing, services: missing, workloads: missing, endpoints: missing, explain: missing },
    ...{ records: missing, resources: missing },
    ...some,
  };
}

describe("the admin interface", () => {
  let directory: string;
  let socket: string;
  let broken: string[];
  let server: AdminServer | undefined;

  function serve(some: Partial<AdminViews>): void {
    server = serveAdmin(
      socket,
      viewsOf(some),
      timedSlices,
      (path, error) => broken.push(`${path}: ${error}`),
    );
  }

  beforeEach(() => {
    directory = Deno.makeTempDirSync({ prefix: "weft-test-admin-" });
    socket = `${directory}/agent.sock`;
    broken = [];
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    Deno.removeSync(directory, { recursive: true });
  });

  it("sends lists of any length, and leaves out what is still being made", async () => {
    const count = 20_000;
    serve({
      workloads: () => Array.from({ length: count }, (_, n) => row(n)),
      *services() {
        yield undefined;
        yield undefined;
      },
    });
    assert.deepEqual((await askAgent(socket, "/workloads", workloadsResponse)).map(({ uid }) => uid), [
      ...Array(count).keys().map((n) => `w${n}`),
    ]);
    assert.deepEqual(await askAgent(socket, "/services", z.array(z.unknown())), []);
  });

  it("answers others while a list is made", async () => {
    let made = 0;
    serve({
      *workloads() {
        for (let n = 0; n < 400; n++) {
          const end = performance.now() + 1;
          while (performance.now() < end);
          made++;
          yield row(n);
        }
      },
      endpoints: () => undefined,
    });
    const all = askAgent(socket, "/workloads", workloadsResponse);
    const madeBy: number[] = [];
    for (let asked = 0; asked < 5; asked++) {
      await assert.rejects(
        askAgent(socket, "/endpoints?service=none", z.unknown()),
        /there is no service none/,
      );
      madeBy.push(made);
    }
    assert.equal((await all).length, 400);
    assert.ok(madeBy[0] < 400, `the first answer came when ${madeBy[0]} of 400 rows were made`);
  });

  it("breaks an answer off that cannot be made to its end: both sides are told", async () => {
    serve({
      *workloads() {
        for (let n = 0; n < 5000; n++) yield row(n);
        throw new Error("the map is gone");
      },
      endpoints: () => undefined,
    });
    await assert.rejects(
      askAgent(socket, "/workloads", workloadsResponse),
      (error) => error instanceof AgentAnswerError && /broke off/.test(error.message),
    );
    assert.deepEqual(broken, ["/workloads: Error: the map is gone"]);
    await assert.rejects(
      askAgent(socket, "/endpoints?service=none", z.unknown()),
      /there is no service none/,
    );
  });

  it("ends, also while somebody does not read on", async () => {
    serve({
      *workloads() {
        for (let n = 0;; n++) yield row(n);
      },
    });
    using connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode("GET /workloads HTTP/1.1\r\nHost: weft\r\n\r\n"));
    await connection.read(new Uint8Array(100));
    await server!.close();
    server = undefined;
    await assert.rejects(askAgent(socket, "/workloads", z.unknown()), AgentNotRunning);

    // Who reads on then is not told any more: what answers are made of may be gone.
    const buffer = new Uint8Array(2 ** 20);
    const end = performance.now() + 10_000;
    while (broken.length === 0 && performance.now() < end && await connection.read(buffer) !== null);
    assert.deepEqual(broken, ["/workloads: Error: the agent has ended"]);
  });
});
