import { it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { spawn } from "../../src/host/mod.ts";
import { createTestNet, describeKernel, eventually, members, startAgent, type TestNet } from "../kit/mod.ts";

const programs = ["nginx", "curl"];

/** Those that are not installed. */
function missing(): string[] {
  const directories = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
  const isThere = (path: string) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  return programs.filter((program) => !directories.some((directory) => isThere(`${directory}/${program}`)));
}

/** One nginx, with a server for each name, that answers with its name. */
function nginxConfiguration(net: TestNet, directory: string): string {
  const servers = Object.values(net.servers).map(({ name, v4, v6 }) => `
    server {
      listen ${v4}:8081;
      listen [${v6}]:8081;
      location / { return 200 "${name} \$remote_addr \$http_host\\n"; }
    }`);
  return `
    daemon off;
    pid ${directory}/pid;
    error_log ${directory}/error.log;
    worker_processes 1;
    events {}
    http {
      access_log off;
      client_body_temp_path ${directory}/body;
      proxy_temp_path ${directory}/proxy;
      fastcgi_temp_path ${directory}/fastcgi;
      uwsgi_temp_path ${directory}/uwsgi;
      scgi_temp_path ${directory}/scgi;
      ${servers.join("")}
    }`;
}

describeKernel("real programs", () => {
  const absent = missing();
  if (absent.length > 0) {
    console.log(`SKIPPED, for ${absent.join(" and ")} is not installed: curl to nginx through a VIP`);
  }

  it(
    "curl reaches nginx through a VIP, and sees nothing but the VIP",
    { ignore: absent.length > 0 },
    async () => {
      await using stack = new AsyncDisposableStack();
      const net = stack.use(await createTestNet());
      const directory = await Deno.makeTempDir({ prefix: `${net.id}-` });
      stack.defer(() => Deno.remove(directory, { recursive: true }));
      await Deno.writeTextFile(`${directory}/nginx.conf`, nginxConfiguration(net, directory));
      stack.use(
        spawn(["nginx", "-p", directory, "-c", `${directory}/nginx.conf`, "-e", `${directory}/error.log`], {
          cgroup: net.aside.path,
          namespace: net.serverNamespace,
        }),
      );
      await using _agent = await startAgent(net, {
        services: {
          web: { vips: ["10.96.0.1", "fd96::1"], ports: { 80: 8081 }, members: members("a", "b", "c", "d") },
        },
      });
      const curl = (...args: string[]) =>
        net.run([
          "curl",
          "--silent",
          "--show-error",
          "--max-time",
          "10",
          "--write-out",
          "%{remote_ip} %{remote_port}\\n",
          ...args,
        ]);
      await eventually(
        "nginx answers",
        () => curl("http://10.96.0.1/").then(() => true, () => false),
      );
      for (
        const [url, host, ip, client] of [
          ["http://10.96.0.1/", "10.96.0.1", "10.96.0.1", "10.77.0.1"],
          ["http://[fd96::1]/", "[fd96::1]", "fd96::1", "fd77::a"],
        ]
      ) {
        const seen = new Set<string>();
        for (let i = 0; i < 40; i++) {
          const [line, remote] = (await curl(url)).split("\n");
          const [server, from, asked] = line.split(" ");
          seen.add(server);
          assert.deepEqual([from, asked, remote], [client, host, `${ip} 80`]);
        }
        assert.deepEqual([...seen].toSorted(), ["a", "b", "c", "d"]);
      }
      // By name, with both families to choose from.
      const resolve = ["--resolve", "web.test.mesh:80:10.96.0.1,[fd96::1]"];
      const [line] = (await curl(...resolve, "http://web.test.mesh/")).split("\n");
      assert.match(line, /^[a-d] \S+ web\.test\.mesh$/);
      // Many requests over one connection.
      const urls = Array.from({ length: 20 }, () => "http://10.96.0.1/");
      const lines = (await curl(...urls)).trimEnd().split("\n");
      const servers = lines.filter((_, i) => i % 2 === 0).map((line) => line.split(" ")[0]);
      assert.deepEqual([servers.length, new Set(servers).size], [20, 1]);
      // A port that the service does not list.
      await assert.rejects(curl("http://10.96.0.1:81/"), /No route to host|exit code 7/);
    },
  );
});
