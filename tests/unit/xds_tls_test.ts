import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ServerCredentials } from "@grpc/grpc-js";
import { type Authority, type Certificate, createAuthority } from "../kit/certificates.ts";
import { createControlPlane } from "../kit/mod.ts";
import { startClient, type TestClientOptions } from "./_xds_client.ts";
import { addressUrl } from "../kit/workload_api.ts";

/** A server that asks clients for a certificate. */
function serverCredentials(ca: string, { cert, key }: Certificate, clients = true): ServerCredentials {
  const read = (path: string) => Buffer.from(Deno.readFileSync(path));
  return ServerCredentials.createSsl(read(ca), [{ cert_chain: read(cert), private_key: read(key) }], clients);
}

describe("xds transport: TLS", () => {
  let authority: Authority;
  let other: Authority;
  let client: Certificate;
  beforeAll(() => {
    authority = createAuthority();
    other = createAuthority();
    client = authority.issue("weft", ["DNS:weft.test"]);
  });
  afterAll(() => {
    authority[Symbol.dispose]();
    other[Symbol.dispose]();
  });
  const own = () => ({ caFile: authority.ca, certFile: client.cert, keyFile: client.key });

  /** Whether a client gets through to a server with this certificate, and why not. */
  async function tryIt(server: Certificate, options: TestClientOptions, dial = (target: string) => target) {
    await using plane = await createControlPlane({ credentials: serverCredentials(authority.ca, server) });
    await using client = startClient(dial(plane.target), options);
    const opened = plane.stream().then(async (stream) => {
      assert.equal((await stream.deltaRequest()).type_url, addressUrl);
      return "connected";
    });
    const failed = client.until("it fails", () => client.ends.length > 0).then(() => client.ends[0].error);
    const outcome = await Promise.race([opened, failed]);
    opened.catch(() => {});
    failed.catch(() => {});
    return outcome;
  }

  it("to an address: the certificate must name that address", async () => {
    const right = authority.issue("ip", ["IP:127.0.0.1"]);
    assert.equal(await tryIt(right, { tls: own() }), "connected");
    const wrong = authority.issue("ip", ["IP:127.0.0.2", "DNS:localhost"]);
    assert.match(await tryIt(wrong, { tls: own() }), /altname|IP address/i);
  });

  it("to a name: the certificate must name it", async () => {
    const byName = (target: string) => target.replace("127.0.0.1", "localhost");
    const right = authority.issue("localhost", ["DNS:localhost"]);
    assert.equal(await tryIt(right, { tls: own() }, byName), "connected");
    const wrong = authority.issue("localhost", ["DNS:remote.test"]);
    assert.match(await tryIt(wrong, { tls: own() }, byName), /altname|name/i);
  });

  it("by another name than the one dialled, where one is given", async () => {
    const certificate = authority.issue("istiod", ["DNS:istiod.istio-system.svc"]);
    const tls = { ...own(), serverName: "istiod.istio-system.svc" };
    assert.equal(await tryIt(certificate, { tls }), "connected");
    assert.match(await tryIt(certificate, { tls: { ...tls, serverName: "other.svc" } }), /altname|name/i);
  });

  it("not to a server of another authority", async () => {
    const right = authority.issue("ip", ["IP:127.0.0.1"]);
    assert.match(
      await tryIt(right, { tls: { ...own(), caFile: other.ca } }),
      /issuer|self|verify|certificate/i,
    );
  });

  it("not with a certificate that the server does not take, nor without one", async () => {
    const right = authority.issue("ip", ["IP:127.0.0.1"]);
    const { cert: certFile, key: keyFile } = other.issue("weft", ["DNS:weft.test"]);
    assert.notEqual(await tryIt(right, { tls: { caFile: authority.ca, certFile, keyFile } }), "connected");
    assert.notEqual(await tryIt(right, { tls: { caFile: authority.ca } }), "connected");
  });

  it("says which file is missing, and goes on trying", async () => {
    await using plane = await createControlPlane();
    await using client = startClient(plane.target, { tls: { caFile: "/nowhere/ca.pem" } });
    await client.until("it has tried again", () => client.ends.length >= 3);
    assert.match(client.ends[0].error, /^cannot read the CA \/nowhere\/ca.pem: /);
  });

  it("reads certificate, key and token anew for each stream", async () => {
    const files = Deno.makeTempDirSync({ prefix: "weft-test-" });
    const use = (certificate: Certificate, token: string) => {
      Deno.copyFileSync(certificate.cert, `${files}/cert.pem`);
      Deno.copyFileSync(certificate.key, `${files}/key.pem`);
      Deno.writeTextFileSync(`${files}/token`, `${token}\n`);
    };
    const right = authority.issue("ip", ["IP:127.0.0.1"]);
    await using plane = await createControlPlane({ credentials: serverCredentials(authority.ca, right) });
    use(client, "first");
    await using weft = startClient(plane.target, {
      tls: { caFile: authority.ca, certFile: `${files}/cert.pem`, keyFile: `${files}/key.pem` },
      tokenFile: `${files}/token`,
    });
    const first = await plane.stream();
    assert.deepEqual(first.metadata.get("authorization"), ["Bearer first"]);
    assert.match(first.peerName, /weft/);
    use(authority.issue("renewed", ["DNS:weft.test"]), "second");
    first.fail();
    const second = await plane.stream();
    assert.deepEqual(second.metadata.get("authorization"), ["Bearer second"]);
    assert.match(second.peerName, /renewed/);
    assert.equal(weft.client.state.connected, true);
    Deno.removeSync(files, { recursive: true });
  });
});
