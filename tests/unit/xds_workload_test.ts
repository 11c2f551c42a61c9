import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { NetworkRange, Policy, Service, Workload } from "../../src/mesh/mod.ts";
import { createWorkloadProtocol } from "../../src/xds/mod.ts";
import { deltaResponseType, type Resource } from "../../src/xds/proto/mod.ts";
import { node } from "./_xds_client.ts";
import {
  addressUrl,
  authorizationUrl,
  policyResource,
  serviceResource,
  workloadResource,
} from "../kit/workload_api.ts";
import { resourcesOf } from "./_xds_replay.ts";

/** What the mesh has of a resource, or why it was refused. */
async function received(resource: Resource) {
  const protocol = createWorkloadProtocol(node);
  await protocol.open(new Date());
  const type_url = resource.resource!.type_url;
  await protocol.receive(
    deltaResponseType.encode({ type_url, nonce: "n", resources: [resource] }),
    new Date(),
  );
  const { mesh, rejections: [rejection], notes } = protocol;
  return { mesh, reason: rejection?.reason, notes, json: await resourcesOf(protocol) };
}

async function workload(message: Parameters<typeof workloadResource>[1]): Promise<Workload> {
  const { mesh, reason } = await received(workloadResource("w", message));
  assert.equal(reason, undefined);
  return mesh.workloads.get("w")!;
}

async function service(message: Parameters<typeof serviceResource>[1]): Promise<Service> {
  const { mesh, reason } = await received(serviceResource("shop/web.test", message));
  assert.equal(reason, undefined);
  return mesh.services.get("shop/web.test")!;
}

const ip4 = Uint8Array.of(10, 5, 7, 9);
const ip6 = Uint8Array.of(0xfd, 0, ...new Array(13).fill(0), 0x0a);
const mapped = Uint8Array.of(...new Array(10).fill(0), 0xff, 0xff, 10, 5, 7, 9);

describe("xds workload: workloads", () => {
  it("have defaults where the API says nothing", async () => {
    assert.deepEqual(await workload({ name: "", namespace: "", addresses: [] }), {
      uid: "w",
      addresses: [],
      status: "Healthy",
      capacity: 1,
      services: new Map(),
      traits: {
        namespace: "",
        network: "",
        node: "",
        clusterId: "",
        locality: { region: "", zone: "", subzone: "" },
        waypoint: null,
        networkGateway: null,
        protocol: "TCP",
        networkMode: "Standard",
        authorizationPolicies: [],
      },
    });
  });

  it("of one response share what they have alike, and nothing else", async () => {
    const protocol = createWorkloadProtocol(node);
    await protocol.open(new Date());
    const said = { node: "n1", locality: { region: "r", zone: "z", subzone: "" } };
    const resources = [
      workloadResource("a", { ...said, addresses: [ip4] }),
      workloadResource("b", { ...said, network_mode: 1, addresses: [ip6] }),
      workloadResource("c", { ...said, addresses: [ip6], status: 1 }),
    ];
    await protocol.receive(
      deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources }),
      new Date(),
    );
    const [a, b, c] = ["a", "b", "c"].map((uid) => protocol.mesh.workloads.get(uid)!);
    assert.equal(a.traits, c.traits);
    assert.deepEqual(b.traits, { ...a.traits, networkMode: "HostNetwork" });
    assert.deepEqual([a.status, c.status, b.addresses], ["Healthy", "Unhealthy", ["fd00::a"]]);
  });

  it("have all that the mesh knows of them", async () => {
    const ports = [{ service_port: 80, target_port: 8080, app_protocol: 1 }];
    const address = { network: "n2", address: ip6 } as never;
    assert.deepEqual(
      await workload({
        name: "pod",
        namespace: "shop",
        addresses: [ip4, ip6, mapped],
        network: "net",
        node: "n1",
        cluster_id: "c1",
        locality: { region: "r", zone: "z", subzone: "s" },
        status: 1,
        capacity: { value: 7 },
        hostname: "h",
        waypoint: {
          hostname: { namespace: "shop", hostname: "way.test" },
          address: null,
          hbone_mtls_port: 15008,
        },
        network_gateway: { hostname: null, address, hbone_mtls_port: 15009 },
        tunnel_protocol: 1,
        network_mode: 1,
        services: { "shop/web.test": { ports }, "shop/none.test": { ports: [] } },
        authorization_policies: ["shop/p"],
      }),
      {
        uid: "w",
        addresses: ["10.5.7.9", "fd00::a", "10.5.7.9"],
        status: "Unhealthy",
        capacity: 7,
        services: new Map([["shop/web.test", new Map([[80, 8080]])], ["shop/none.test", new Map()]]),
        traits: {
          namespace: "shop",
          network: "net",
          node: "n1",
          clusterId: "c1",
          locality: { region: "r", zone: "z", subzone: "s" },
          waypoint: { destination: "shop/way.test", hboneMtlsPort: 15008 },
          networkGateway: { destination: "n2/fd00::a", hboneMtlsPort: 15009 },
          protocol: "HBONE",
          networkMode: "HostNetwork",
          authorizationPolicies: ["shop/p"],
        },
      } satisfies Workload,
    );
  });

  it("tell a capacity of 0 from none", async () => {
    assert.equal((await workload({ capacity: { value: 0 } })).capacity, 0);
  });

  it("may say what a newer API has: what is not known to be healthy is not", async () => {
    const odd = await workload({ status: 9, tunnel_protocol: 9, network_mode: 9, workload_type: 9 });
    assert.deepEqual([odd.status, odd.traits.protocol, odd.traits.networkMode], [
      "Unhealthy",
      "TCP",
      "Standard",
    ]);
    const { json } = await received(workloadResource("w", { workload_type: 9 }));
    assert.equal((json.workloads as Record<string, { workloadType: string }>).w.workloadType, "9");
  });

  it("are refused where they make no sense", async () => {
    const cases: [Parameters<typeof workloadResource>[1], string][] = [
      [{ addresses: [new Uint8Array()] }, "an address has 0 bytes, expected 4 or 16"],
      [{ services: { web: { ports: [] } } }, `it is a member of "web", expected namespace/hostname`],
      [
        { services: { "a/b": { ports: [{ service_port: 80, target_port: 65536, app_protocol: 0 }] } } },
        "port 80→65536 is out of range: expected 0..65535",
      ],
      [
        { waypoint: { hostname: null, address: null, hbone_mtls_port: 1 } },
        "a gateway has neither an address nor a host name",
      ],
    ];
    for (const [message, reason] of cases) {
      assert.equal((await received(workloadResource("w", message))).reason, reason);
    }
  });
});

describe("xds workload: services", () => {
  it("have addresses, ranges and ports", async () => {
    const range = (address: Uint8Array, length: number) => ({ network: "n", address, length });
    const one = await service({
      addresses: [
        { network: "", address: ip4 } as never,
        range(ip4, 32),
        range(ip4, 16),
        range(ip4, 13),
        range(ip4, 0),
        range(ip6, 64),
        range(mapped, 112),
      ],
    });
    assert.deepEqual(one.vips, [{ network: "", address: "10.5.7.9" }, { network: "n", address: "10.5.7.9" }]);
    const short = ({ address, prefixLength }: NetworkRange) => `${address}/${prefixLength}`;
    assert.deepEqual(one.ranges.map(short), [
      "10.5.0.0/16",
      "10.0.0.0/13",
      "0.0.0.0/0",
      "fd00::/64",
      "10.5.0.0/16",
    ]);
    assert.deepEqual(one.ports, new Map([[80, 8080]]));
  });

  it("have a load balancer only where the API says so", async () => {
    assert.equal((await service({})).loadBalancer, null);
    const balancing = { routing_preference: [6, 1, 2, 3, 4, 5], mode: 2, health_policy: 1 };
    assert.deepEqual((await service({ load_balancing: balancing })).loadBalancer, {
      routingPreferences: ["Network", "Region", "Zone", "Subzone", "Node", "Cluster"],
      mode: "Failover",
      healthPolicy: "AllowAll",
    });
    const modes = [];
    for (const mode of [0, 1, 2, 3]) {
      modes.push((await service({ load_balancing: { ...balancing, mode } })).loadBalancer?.mode);
    }
    assert.deepEqual(modes, ["Standard", "Strict", "Failover", "Passthrough"]);
  });

  it("say so where their load balancing is of a newer API", async () => {
    const load_balancing = { routing_preference: [1, 77], mode: 9, health_policy: 5 };
    const { mesh, notes } = await received(serviceResource("shop/web.test", { load_balancing }));
    assert.deepEqual(mesh.services.get("shop/web.test")?.loadBalancer, {
      routingPreferences: ["Region"],
      mode: "Standard",
      healthPolicy: "OnlyHealthy",
    });
    assert.deepEqual(notes, [
      "service shop/web.test: scope 77, mode 9, health policy 5 in its load balancing is not known to weft",
    ]);
  });

  it("need a waypoint where they have one, or several", async () => {
    const gateway = { hostname: { namespace: "a", hostname: "b" }, address: null, hbone_mtls_port: 15008 };
    const weighted_waypoints = [{ destination: gateway, weight: 1 }];
    assert.equal((await service({})).needsWaypoint, false);
    assert.equal((await service({ waypoint: gateway })).needsWaypoint, true);
    assert.equal((await service({ weighted_waypoints })).needsWaypoint, true);
  });

  it("have families and visibility", async () => {
    const seen = [];
    for (const ip_families of [0, 1, 2, 3, 9]) seen.push((await service({ ip_families })).ipFamilies);
    assert.deepEqual(seen, [null, "IPv4", "IPv6", "Dual", null]);
    assert.equal((await service({ visibility: 1 })).visibility, "Namespace");
    assert.equal((await service({ canonical: true })).canonical, true);
  });

  it("are refused where a range is longer than its address", async () => {
    const addresses = [{ network: "", address: ip4, length: 33 }];
    const { reason } = await received(serviceResource("shop/web.test", { addresses }));
    assert.equal(reason, "a range of 10.5.7.9 has length 33, expected at most 32");
  });

  it("may become a workload of the same name, and back", async () => {
    const protocol = createWorkloadProtocol(node);
    await protocol.open(new Date());
    const name = "shop/web.test";
    for (
      const [resource, sizes] of [
        [serviceResource(name), [1, 0]],
        [workloadResource(name), [0, 1]],
        [serviceResource(name), [1, 0]],
      ] as const
    ) {
      const bytes = deltaResponseType.encode({ type_url: addressUrl, nonce: "n", resources: [resource] });
      await protocol.receive(bytes, new Date());
      assert.deepEqual([protocol.mesh.services.size, protocol.mesh.workloads.size], sizes);
    }
  });
});

describe("xds workload: policies", () => {
  async function policy(message: Parameters<typeof policyResource>[1]): Promise<Policy | undefined> {
    return (await received(policyResource("shop/p", message))).mesh.policies.get("shop/p");
  }

  it("have scope, action and whether they are a dry run", async () => {
    const base = { name: "p", namespace: "shop" };
    assert.deepEqual(await policy({ scope: 0 }), {
      ...base,
      scope: "Global",
      action: "Allow",
      dryRun: false,
    });
    assert.deepEqual(await policy({ scope: 2, action: 1, dry_run: true }), {
      ...base,
      scope: "WorkloadSelector",
      action: "Deny",
      dryRun: true,
    });
  });

  it("are refused where weft does not know what they want, for guessing would let in what should stay out", async () => {
    const prefix = { address: ip4, length: 33 };
    const groups = [{ rules: [{ matches: [{ source_ips: [prefix] } as never] }] }];
    for (
      const [message, reason] of [
        [{ scope: 7 }, "scope 7 is not known"],
        [{ action: 7 }, "action 7 is not known"],
        [{ groups }, "10.5.7.9/33 is no range of addresses"],
      ] as const
    ) {
      const result = await received(policyResource("shop/p", message));
      assert.deepEqual([result.reason, result.mesh.policies.size], [reason, 0]);
    }
  });

  it("are told of in status, twenty of them by name", async () => {
    const protocol = createWorkloadProtocol(node);
    await protocol.open(new Date());
    const resources = Array.from({ length: 25 }, (_, i) => policyResource(`shop/p${10 + i}`));
    const response = { type_url: authorizationUrl, nonce: "n", resources };
    await protocol.receive(deltaResponseType.encode(response), new Date());
    assert.equal(protocol.notes.length, 21);
    assert.equal(protocol.notes[0], "policy shop/p10 is not enforced yet");
    assert.equal(protocol.notes[20], "and 5 more policies that are not enforced yet");
  });
});
