import { lookup } from "node:dns/promises";

/**
 * The addresses of a host name, as the host's own resolver says (hosts file, DNS); none where there is no such name.
 *
 * @throws {Error} where it cannot be told now
 */
export async function lookUpHost(host: string): Promise<string[]> {
  try {
    const all = await lookup(host, { all: true, verbatim: true });
    return all.map(({ address }) => address);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTFOUND") return [];
    throw error;
  }
}
