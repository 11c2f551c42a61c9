/** Where an agent keeps what is not in the kernel: its socket and its lock. Two agents with different pin roots never meet. */

export interface RuntimePaths {
  readonly directory: string;
  readonly socket: string;
  readonly lock: string;
  /** Of the socket that is there for a moment when an agent starts (host/turns.ts). */
  readonly turns: string;
}

/**
 * @param pinRoot absolute path
 * @param socket the path that the user chose for the socket, if any
 */
export function runtimePaths(pinRoot: string, socket?: string): RuntimePaths {
  const directory = "/run/weft";
  const name = pinRoot.replace(/^\/+|\/+$/g, "").replaceAll("/", "-");
  return {
    directory,
    socket: socket ?? `${directory}/${name}.sock`,
    lock: `${directory}/${name}.lock`,
    turns: `${directory}/${name}.turns`,
  };
}
