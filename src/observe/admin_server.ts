/** The agent's own interface: HTTP and JSON on a UNIX socket that only its owner can open. */

import type { EndpointsResponse, RecordsResponse, ServiceView, StatusResponse, WorkloadView } from "./api.ts";
import { type Destination, type Explanation, parseDestination } from "../explain/mod.ts";
import { joined, type Slices } from "../host/mod.ts";
import { metricsText } from "./metrics.ts";

/** How long answers that have begun may take once the agent ends. */
const lastAnswersMs = 1000;

/** Where the answers come from. */
export interface AdminViews {
  status(): StatusResponse;
  /** One a service, in no order; best made as they are asked for, with `undefined` while one is being made. */
  services(): Iterable<ServiceView | undefined>;
  /** One a workload, in no order. */
  workloads(): Iterable<WorkloadView>;
  /** `undefined`: there is no such service. */
  endpoints(service: string): EndpointsResponse | undefined;
  explain(to: Destination, protocol: "TCP" | "UDP"): Explanation;
  records(): RecordsResponse;
  /**
   * The pieces of a `ResourcesResponse`'s text; the known collections where `only` is none of them; `undefined` where no control plane is
   * followed.
   */
  resources(only: string | undefined): AsyncIterable<string> | readonly string[] | undefined;
}

export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Serves until closed. A socket that a killed agent left is replaced: the caller holds the lock that says it is dead.
 *
 * @param path its directory exists and is the owner's alone
 * @param slices how long answers are made
 * @param onError told why an answer broke off that had begun
 */
export function serveAdmin(
  path: string,
  views: AdminViews,
  slices: Slices,
  onError: (path: string, error: unknown) => void,
): AdminServer {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const before = Deno.umask(0o177);
  try {
    let ended = false;
    const streams = { isEnded: () => ended, slices, onError };
    const server = Deno.serve(
      { path, transport: "unix", onListen: () => {} },
      (request) => answer(request, views, streams),
    );
    return {
      close: async () => {
        // Not for ever: somebody may have stopped reading.
        const enough = Promise.withResolvers<void>();
        const timer = setTimeout(enough.resolve, lastAnswersMs);
        try {
          await Promise.race([server.shutdown(), enough.promise]);
        } finally {
          clearTimeout(timer);
          ended = true;
          await Deno.remove(path).catch(() => {});
        }
      },
    };
  } finally {
    Deno.umask(before);
  }
}

/** What answers that are sent while they are made have to do with the server. */
interface Streams {
  /** Nothing that views are made of may be looked at any more. */
  readonly isEnded: () => boolean;
  readonly slices: Slices;
  readonly onError: (path: string, error: unknown) => void;
}

function answer(request: Request, views: AdminViews, streams: Streams): Response {
  const url = new URL(request.url);
  const streamed = (pieces: AsyncIterable<string>) => textResponse(watched(pieces, url.pathname, streams));
  if (request.method !== "GET") {
    return failure(405, "only GET is answered", "see weft --help for what can be asked");
  }
  try {
    switch (url.pathname) {
      case "/status":
        return Response.json(views.status());
      case "/services":
        return streamed(listText(views.services(), streams.slices));
      case "/workloads":
        return streamed(listText(views.workloads(), streams.slices));
      case "/endpoints": {
        const service = url.searchParams.get("service") ?? "";
        const found = views.endpoints(service);
        return found
          ? Response.json(found)
          : failure(404, `there is no service ${service}`, "weft services lists those that there are");
      }
      case "/explain": {
        const to = parseDestination(url.searchParams.get("to") ?? "");
        return to
          ? Response.json(views.explain(to, url.searchParams.get("protocol") === "UDP" ? "UDP" : "TCP"))
          : failure(400, "to is not ADDRESS:PORT", "such as 10.96.0.1:80 or [fd00::1]:80");
      }
      case "/records":
        return Response.json(views.records());
      case "/resources":
        return resources(views, url.searchParams.get("type") ?? undefined, streamed);
      case "/metrics":
        return new Response(metricsText(views.status(), views.records()));
      default:
        return failure(
          404,
          `nothing answers at ${url.pathname}`,
          "/status, /services, /workloads, /endpoints, /explain, /records, /resources, /metrics do",
        );
    }
  } catch (error) {
    return failure(
      500,
      error instanceof Error ? error.message : String(error),
      "the agent's log may say more",
    );
  }
}

function resources(
  views: AdminViews,
  only: string | undefined,
  streamed: (pieces: AsyncIterable<string>) => Response,
): Response {
  const found = views.resources(only);
  if (found === undefined) {
    return failure(
      404,
      "this agent follows a mesh file, no control plane",
      "weft services and weft workloads show it",
    );
  }
  if (!(Symbol.asyncIterator in found)) {
    return failure(404, `there is no type "${only}"`, `one of: ${found.join(", ")}`);
  }
  return streamed(found);
}

/** JSON that is sent while it is made; where that fails the answer breaks off. */
function textResponse(pieces: AsyncIterable<string>): Response {
  const body = ReadableStream.from(pieces).pipeThrough(new TextEncoderStream());
  return new Response(body, { headers: { "content-type": "application/json" } });
}

async function* watched<T>(
  items: AsyncIterable<T>,
  path: string,
  { isEnded, onError }: Streams,
): AsyncGenerator<T> {
  try {
    for await (const item of items) {
      yield item;
      if (isEnded()) throw new Error("the agent has ended");
    }
  } catch (error) {
    onError(path, error);
    throw error;
  }
}

/** There may be a hundred thousand items. */
async function* listText(items: Iterable<object | undefined>, slices: Slices): AsyncGenerator<string> {
  yield "[";
  yield* joined(items, (item) => JSON.stringify(item), slices);
  yield "]";
}

function failure(status: number, error: string, remedy: string): Response {
  return Response.json({ error, remedy }, { status });
}
