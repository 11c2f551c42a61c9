/** Asks a running agent. What it answers is checked: it may be another version. */

import { z } from "zod";
import { errorResponse } from "./api.ts";

/** There is no agent behind the socket. */
export class AgentNotRunning extends Error {
  override readonly name = "AgentNotRunning";
  readonly remedy: string;

  constructor(socket: string) {
    super(`no agent answers at ${socket}`);
    this.remedy = "start one with: weft run --mesh FILE (or name its --pin-root)";
  }
}

/** The agent said no, or something that this weft does not understand. */
export class AgentAnswerError extends Error {
  override readonly name = "AgentAnswerError";
  constructor(message: string, readonly remedy: string) {
    super(message);
  }
}

/**
 * Asks for something and checks the answer.
 *
 * @param path such as `/status`
 * @throws {AgentNotRunning}
 * @throws {AgentAnswerError}
 */
export async function askAgent<T>(socket: string, path: string, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(parseJson(await fetchAgent(socket, path)));
  if (parsed.success) return parsed.data;
  const remedy = "is the agent of the same version as this weft? restart it";
  throw new AgentAnswerError(
    `the agent's answer is not understood: ${z.prettifyError(parsed.error)}`,
    remedy,
  );
}

/** The same for what is text. */
export async function fetchAgent(socket: string, path: string): Promise<string> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  let response: Response | undefined;
  let body: string;
  try {
    // localhost: other names are looked up now and then, although the socket is known, and that may take seconds.
    response = await fetch(`http://localhost${path}`, { client, signal: AbortSignal.timeout(10_000) });
    body = await response.text();
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) throw notAllowed(socket);
    if (error instanceof Error && error.name === "TimeoutError") {
      throw new AgentAnswerError(
        `the agent at ${socket} does not answer ${response ? "to the end " : ""}within 10 s`,
        "is it stopped or overloaded?",
      );
    }
    if (response) {
      throw new AgentAnswerError(
        `the answer of the agent at ${socket} broke off`,
        "ask again: the agent ends, or its log says why",
      );
    }
    if (!readable(socket)) throw notAllowed(socket);
    throw new AgentNotRunning(socket);
  }
  if (response.ok) return body;
  const said = errorResponse.safeParse(parseJson(body));
  throw said.success ? new AgentAnswerError(said.data.error, said.data.remedy) : new AgentAnswerError(
    `the agent answered with HTTP status ${response.status}`,
    "its log may say more",
  );
}

/** `undefined` for what is not JSON: no schema takes that. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** False only where the socket is there and not ours to open. */
function readable(socket: string): boolean {
  try {
    const info = Deno.statSync(socket);
    return Deno.uid() === 0 || info.uid === Deno.uid();
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

function notAllowed(socket: string): AgentAnswerError {
  return new AgentAnswerError(
    `the agent's socket ${socket} may be opened by its owner only`,
    "run this as root",
  );
}
