import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { XdsSourceOptions } from "../../src/agent/xds_source.ts";
import { defineCommand } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/mod.ts";
import { nodeFlags, nodeOptions } from "../../src/cli/node_flags.ts";
import { xdsFlags, xdsOptions } from "../../src/cli/xds_flags.ts";
import { runLine } from "./_cli.ts";

/** What a command line means; on a host called `box` with one address. */
async function read(args: readonly string[], env: Record<string, string> = {}): Promise<XdsSourceOptions> {
  let options: XdsSourceOptions | undefined;
  const command = defineCommand({
    name: "run",
    summary: "",
    description: "",
    flags: [...xdsFlags, ...nodeFlags],
    positionals: [],
    examples: [],
    run: ({ flags }) => {
      const host = { hostname: "box", addresses: ["192.0.2.7"], env: (name: string) => env[name] };
      options = xdsOptions({ ...flags, xds: flags.xds! }, nodeOptions(flags, "box"), host);
      return Promise.resolve(0);
    },
  });
  const { stderr } = await runLine([command], ["run", ...args], { env });
  if (options === undefined) throw new Error(stderr);
  return options;
}

/** What the real command says against a command line. */
async function refusal(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stderr } = await runLine(commands, ["run", ...args], { env });
  assert.equal(exitCode, 2, stderr);
  return stderr;
}

const tls = ["--xds-ca", "/ca.pem"];

describe("weft run: where the mesh comes from", () => {
  it("is a file or a control plane, not both, and not neither", async () => {
    assert.match(
      await refusal(["--xds", "localhost", "--mesh", "m.yaml"]),
      /--mesh and --xds exclude each other/,
    );
    assert.match(await refusal(["--xds", "localhost"], { WEFT_MESH: "m.yaml" }), /exclude each other/);
    assert.match(await refusal([]), /--mesh FILE or --xds ADDRESS is needed/);
  });

  it("flags of a control plane mean nothing for a file", async () => {
    for (const args of [["--mode", "ads"], ["--plaintext"], ["--xds-ca", "x"], ["--node-id", "x"]]) {
      assert.match(
        await refusal(["--mesh", "m.yaml", ...args]),
        new RegExp(`${args[0]} means nothing without --xds`),
      );
    }
  });

  it("is mode workload unless told otherwise, on port 15012, or 15010 in plaintext", async () => {
    const { mode, transport } = await read(["--xds", "istiod.test", ...tls]);
    assert.equal(mode, "workload");
    assert.deepEqual(transport.target, {
      kind: "tcp",
      host: "istiod.test",
      port: 15012,
      family: 0,
      loopback: false,
    });
    assert.equal(transport.tls?.caFile, "/ca.pem");
    assert.equal(transport.keepaliveMs, 20_000);
    const plain = await read(["--xds", "127.0.0.1", "--plaintext", "--mode", "ads"]);
    assert.equal(plain.mode, "ads");
    assert.ok(plain.transport.target.kind === "tcp" && plain.transport.target.port === 15010);
    assert.equal(plain.transport.tls, undefined);
    const { target } = (await read(["--xds", "127.0.0.1:7", "--plaintext"])).transport;
    assert.ok(target.kind === "tcp" && target.port === 7);
  });

  it("is plaintext only on this host, or where that is insisted on", async () => {
    for (const far of ["istiod.test", "10.0.0.1", "localhost.evil.test"]) {
      assert.match(await refusal(["--xds", far, "--plaintext"]), /another host: whoever is on the way/);
    }
    const insisted = await read(["--xds", "istiod.test", "--plaintext", "--insist-plaintext"]);
    assert.equal(insisted.transport.tls, undefined);
    for (const near of ["localhost", "127.0.0.1", "[::1]:1", "unix:/run/istiod.sock"]) {
      assert.equal((await read(["--xds", near, "--plaintext"])).transport.tls, undefined);
    }
    assert.equal((await read(["--xds", "unix:/run/istiod.sock"])).transport.tls, undefined);
    assert.match(await refusal(["--xds", "localhost", "--insist-plaintext"]), /nothing without --plaintext/);
  });

  it("needs authorities for TLS, and a key with a certificate", async () => {
    assert.match(await refusal(["--xds", "istiod.test"]), /TLS needs the authorities/);
    assert.match(await refusal(["--xds", "localhost"]), /TLS needs the authorities/);
    const cert = ["--xds-cert", "c.pem"];
    assert.match(await refusal(["--xds", "istiod.test", ...tls, ...cert]), /need each other/);
    assert.match(
      await refusal(["--xds", "localhost", "--plaintext", ...tls]),
      /--plaintext and --xds-ca exclude/,
    );
    const given = ["--xds-key", "k.pem", "--xds-server-name", "n.test", "--xds-token", "t"];
    const { transport } = await read(["--xds", "istiod.test", ...tls, ...cert, ...given]);
    assert.deepEqual(transport.tls, {
      caFile: "/ca.pem",
      certFile: "c.pem",
      keyFile: "k.pem",
      serverName: "n.test",
    });
    assert.equal(transport.tokenFile, "t");
  });

  it("is not what is no address", async () => {
    assert.match(await refusal(["--xds", "a b", ...tls]), /--xds a b is no address/);
  });
});

describe("weft run: who asks a control plane", () => {
  const plain = ["--xds", "localhost", "--plaintext"];

  it("is made of what the host says", async () => {
    const { identity } = await read([...plain, "--cluster-id", "c1"]);
    assert.equal(identity.id, "ztunnel~192.0.2.7~box.istio-system~istio-system.svc.cluster.local");
    assert.equal(identity.locality, undefined);
    assert.deepEqual(identity.metadata, {
      NAME: "box",
      NAMESPACE: "istio-system",
      INSTANCE_IPS: "192.0.2.7",
      NODE_NAME: "box",
      CLUSTER_ID: "c1",
    });
    const { identity: sidecar } = await read([...plain, "--mode", "ads"]);
    assert.equal(sidecar.id, "sidecar~192.0.2.7~box.istio-system~istio-system.svc.cluster.local");
  });

  it("or of what a pod is told, and of flags", async () => {
    const env = { POD_NAME: "weft-1", POD_NAMESPACE: "mesh", INSTANCE_IP: "10.1.1.1" };
    const args = ["--node", "n1", "--network", "net", "--region", "r", "--zone", "z"];
    const { identity, network } = await read([...plain, ...args], env);
    assert.equal(identity.id, "ztunnel~10.1.1.1~weft-1.mesh~mesh.svc.cluster.local");
    assert.deepEqual(identity.locality, { region: "r", zone: "z", subzone: "" });
    assert.deepEqual([identity.metadata.NODE_NAME, identity.metadata.NETWORK, network], ["n1", "net", "net"]);
  });

  it("or is given whole", async () => {
    const metadata = `{"LABELS": {"app": "weft"}, "NAME": "other"}`;
    const { identity } = await read([...plain, "--node-id", "ztunnel~1~2~3", "--node-metadata", metadata]);
    assert.equal(identity.id, "ztunnel~1~2~3");
    assert.deepEqual([identity.metadata.LABELS, identity.metadata.NAME], [{ app: "weft" }, "other"]);
    for (const wrong of ["x", "[]", `{"a": 1}`, `{"a": {"b": null}}`]) {
      assert.match(await refusal([...plain, "--node-metadata", wrong]), /--node-metadata/);
    }
  });
});
