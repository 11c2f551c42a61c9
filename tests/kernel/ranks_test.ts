/**
 * A sample of the worked answers (../shared/fixtures/ranks; its README says what a query's fields mean) through the kernel. Their
 * addresses are nobody's here: connected UDP sockets show in /proc/net where the kernel sent them.
 */

import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import { bytesToAddress, parseAddress } from "../../src/mesh/mod.ts";
import {
  assertSpread,
  at,
  createTestNet,
  describeKernel,
  eventually,
  patience,
  repetitions,
  sharedDirectory,
  split,
  startAgent,
  type TestNet,
} from "../kit/mod.ts";

interface Query {
  readonly compare?: boolean;
  readonly dst: string;
  readonly service: string | null;
  readonly source: Readonly<
    Record<"uid" | "network" | "region" | "zone" | "subzone" | "node" | "clusterId", string>
  >;
  readonly outcome: "endpoints" | "none" | "passthrough" | "unknown" | "invalid-file";
  readonly endpoints: readonly { readonly address: string; readonly port: number; readonly share: string }[];
}

/** Every so manieth file: fewer where all takes longer. */
const every = patience(9);

/** Where connected UDP sockets of the client's namespace lead, by /proc/net: `address:port` → how many. */
async function remotes(net: TestNet, family: 4 | 6): Promise<Record<string, number>> {
  const text = await net.run(["cat", family === 4 ? "/proc/net/udp" : "/proc/net/udp6"]);
  const counts: Record<string, number> = {};
  for (const line of text.trim().split("\n").slice(1)) {
    const [address, port] = line.trim().split(/\s+/)[2].split(":");
    if (/^0+$/.test(port)) continue;
    // Words of 32 bits in the host's order, which is little-endian on every processor that weft knows.
    const bytes = Uint8Array.from(
      address.match(/.{8}/g)!.flatMap((word) => word.match(/../g)!.reverse()).map((one) => parseInt(one, 16)),
    );
    const whole = family === 6 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
    const target = at(bytesToAddress(whole), parseInt(port, 16));
    counts[target] = (counts[target] ?? 0) + 1;
  }
  return counts;
}

/** `address:port` → share, of all endpoints there. */
function sharesByPlace(endpoints: Query["endpoints"]): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const { address, port, share } of endpoints) {
    const [part, whole] = share.split("/").map(Number);
    const place = at(parseAddress(address)!, port);
    shares[place] = (shares[place] ?? 0) + part / whole;
  }
  return shares;
}

async function check(net: TestNet, { dst, outcome, service, endpoints }: Query): Promise<void> {
  const { address, port } = split(dst);
  const target = at(parseAddress(address)!, Number(port));
  const family = target.startsWith("[") ? 6 : 4;
  await using sockets = await net.sockets();
  if (outcome === "none") {
    // A port that is not listed, or that nobody maps, is UDP's own affair.
    const socket = await sockets.open(`tcp${family}`);
    await assert.rejects(socket.connect(target), { code: "EHOSTUNREACH" });
    return;
  }
  const balanced = outcome === "endpoints" && service !== null;
  const shares = balanced ? sharesByPlace(endpoints) : { [target]: 1 };
  const count = Math.ceil(Math.min(300, 12 / Math.min(...Object.values(shares))));
  const { error } = await sockets.openMany(`udp${family}`, count, target);
  assert.equal(error, undefined);
  const found = await remotes(net, family);
  assert.equal(Object.values(found).reduce((sum, one) => sum + one, 0), count);
  for (const place of Object.keys(found)) assert.ok(place in shares, `${place} is no answer`);
  if (Object.values(shares).every((share) => share * count >= 5)) assertSpread(found, shares);
}

const shared = sharedDirectory("ranks through the kernel");

describeKernel("worked answers through the kernel", () => {
  const test = shared ? it : it.skip;

  test("the kernel sends connections where they say", async () => {
    const fixtures = `${shared}/fixtures/ranks`;
    const names = [...Deno.readDirSync(`${fixtures}/cases`)].map(({ name }) => name.replace(/\.yaml$/, ""))
      .sort();
    await using net = await createTestNet();
    const compared = { balanced: 0, others: 0 };
    for (const name of names.filter((_, i) => i % every === 1)) {
      const text = Deno.readTextFileSync(`${fixtures}/cases/${name}.yaml`);
      try {
        parseMesh(text, name);
      } catch (error) {
        if (error instanceof MeshFileError) continue; // refused, as other tests have seen
        throw error;
      }
      const queries: Query[] = JSON.parse(Deno.readTextFileSync(`${fixtures}/expected/${name}.json`));
      const usable = queries.filter(({ compare }) => compare !== false);
      if (usable.length === 0) continue;
      // One node a file, the one of which most is known.
      const bySource = Object.values(Object.groupBy(usable, ({ source }) => source.uid)).map((one) => one!);
      const asked = bySource.reduce((most, one) => one.length > most.length ? one : most);
      const { network, region, zone, subzone, node, clusterId } = asked[0].source;
      const place = { network, region, zone, subzone, node, "cluster-id": clusterId };
      await using agent = await startAgent(net, {
        services: {},
        args: Object.entries(place).map(([flag, value]) => `--${flag}=${value}`),
      });
      const { flushes } = await agent.status();
      await agent.writeMesh(text);
      await eventually(`${name} is in the kernel`, async () => (await agent.status()).flushes > flushes);
      for (const query of asked) {
        await check(net, query).catch((error) => {
          throw new Error(`${name}, ${query.dst}: ${JSON.stringify(query)}: ${error.message}`, {
            cause: error,
          });
        });
        if (query.service !== null && query.outcome === "endpoints") compared.balanced++;
        else compared.others++;
      }
    }
    const words = `${compared.balanced} queries that are balanced and ${compared.others} others`;
    console.log(`worked answers through the kernel: ${words}`);
    assert.ok(compared.balanced >= repetitions(40, 1) && compared.others >= repetitions(40, 1), words);
  });
});
