import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { MeshFileError, parseMesh } from "../../src/config/mod.ts";
import type { Service, Workload } from "../../src/mesh/mod.ts";

/** A thing's keys and what is written behind them; `undefined` leaves a key out. */
type Written = Record<string, string | undefined>;

/** A thing in flow style. */
function flow(written: Written): string {
  const entries = Object.entries(written).filter(([, value]) => value !== undefined);
  return `{${entries.map(([key, value]) => `${key}: ${value}`).join(", ")}}`;
}

const plainWorkload: Written = { uid: "u", namespace: "n", workloadIps: "[10.0.0.1]", services: "{}" };
const plainService: Written = {
  name: "web",
  namespace: "n",
  hostname: "h",
  vips: "[/10.96.0.1]",
  ports: "{80: 8080}",
};
const plainPolicy: Written = {
  name: "p",
  namespace: "n",
  scope: "Global",
  action: "Allow",
  dryRun: "false",
  rules: "[]",
};

function workload(written: Written): Workload {
  return parseMesh(`workloads: [${flow({ ...plainWorkload, ...written })}]`, "mesh.yaml").mesh.workloads[0];
}

function service(written: Written): Service {
  return parseMesh(`services: [${flow({ ...plainService, ...written })}]`, "mesh.yaml").mesh.services[0];
}

/** A policy with one match. */
function match(written: Written): void {
  parseMesh(`policies: [${flow({ ...plainPolicy, rules: `[[[${flow(written)}]]]` })}]`, "mesh.yaml");
}

function policy(written: Written): void {
  parseMesh(`policies: [${flow({ ...plainPolicy, ...written })}]`, "mesh.yaml");
}

/** Checks that a thing is accepted with each of some texts behind a key. */
function accepts(read: (written: Written) => unknown, key: string, texts: readonly string[]): void {
  for (const text of texts) it(`${key}: ${text}`, () => void read({ [key]: text }));
}

/** Checks that a thing is refused with each of some texts behind a key, and that the error leads to the key. */
function refuses(
  read: (written: Written) => unknown,
  key: string,
  texts: readonly (string | undefined)[],
): void {
  for (const text of texts) {
    it(text === undefined ? `${key} left out is refused` : `${key}: ${text} is refused`, () => {
      assert.throws(() => read({ [key]: text }), (error) => {
        assert.ok(error instanceof MeshFileError, `expected a MeshFileError, got ${error}`);
        assert.match(`${error.path}: ${error.message}`, new RegExp(`\\b${key}\\b`));
        return true;
      });
    });
  }
}

describe("a workload of the mesh file", () => {
  it("has these defaults", () => {
    assert.deepEqual(workload({ uid: undefined }), {
      uid: "",
      addresses: ["10.0.0.1"],
      status: "Healthy",
      capacity: 1,
      services: new Map(),
      traits: {
        namespace: "n",
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

  it("is read in full", () => {
    const gateway = "{destination: net/10.0.0.9, hboneMtlsPort: 15008}";
    const written = {
      uid: "c//Pod/n/w",
      name: "w",
      workloadIps: "[10.0.0.1, 'FD20:0:0::00a1', '::ffff:10.0.0.2']",
      services: "{n/h: {80: 8080, 443: 0x20FB}, /other: {}, a/b/c: , n/h: {81: 0}}",
      network: "net",
      node: "node-1",
      clusterId: "alpha",
      locality: "{region: r, zone: z, subzone: ''}",
      status: "Unhealthy",
      capacity: "4294967295",
      protocol: "HBONE",
      networkMode: "HostNetwork",
      networkGateway: gateway,
      waypoint: "{destination: n/way.example, hboneMtlsPort: 0}",
      hostname: "w.example",
      serviceAccount: "sa",
      trustDomain: "td",
      workloadName: "a",
      workloadType: "b",
      canonicalName: "c",
      canonicalRevision: "d",
      nativeTunnel: "true",
      applicationTunnel: "{protocol: PROXY, port: 15088}",
      authorizationPolicies: "[n/p, n/q]",
    };
    assert.deepEqual(workload(written), {
      uid: "c//Pod/n/w",
      addresses: ["10.0.0.1", "fd20::a1", "10.0.0.2"],
      status: "Unhealthy",
      capacity: 4294967295,
      services: new Map([["n/h", new Map([[81, 0]])], ["/other", new Map()], ["a/b/c", new Map()]]),
      traits: {
        namespace: "n",
        network: "net",
        node: "node-1",
        clusterId: "alpha",
        locality: { region: "r", zone: "z", subzone: "" },
        waypoint: { destination: "n/way.example", hboneMtlsPort: 0 },
        networkGateway: { destination: "net/10.0.0.9", hboneMtlsPort: 15008 },
        protocol: "HBONE",
        networkMode: "HostNetwork",
        authorizationPolicies: ["n/p", "n/q"],
      },
    });
  });

  const texts = [
    "uid",
    "name",
    "namespace",
    "network",
    "node",
    "clusterId",
    "hostname",
    "serviceAccount",
    "trustDomain",
    "workloadName",
    "workloadType",
    "canonicalName",
    "canonicalRevision",
  ];
  for (const key of texts) {
    accepts(workload, key, ["on", "'5'", "''"]);
    refuses(workload, key, ["5", "5.0", "true", "null", "", "[]", "{}"]);
  }
  refuses(workload, "namespace", [undefined]);
  accepts(workload, "workloadIps", ["[]", "['::1']"]);
  refuses(workload, "workloadIps", [
    undefined,
    "",
    "10.0.0.1",
    "{}",
    "[net/10.0.0.1]",
    "[10.0.0.1/32]",
    "[10.0.0.01]",
    "[10.0.0]",
    "[167772161]",
    "['fe80::1%eth0']",
    "[localhost]",
    "['']",
    "[null]",
  ]);
  accepts(workload, "services", ["{}", "", "null", "{n/h: }", "{n/h: {}}", "{/h: {80: 80}}", "{n/: {}}"]);
  refuses(workload, "services", [
    undefined,
    "[]",
    "n/h",
    "{h: {}}",
    "{5: {}}",
    "{n/h: []}",
    "{n/h: {'80': 80}}",
    "{n/h: {80: '80'}}",
    "{n/h: {80: 80.0}}",
    "{n/h: {80.0: 80}}",
    "{n/h: {-1: 80}}",
    "{n/h: {65536: 80}}",
    "{n/h: {80: 65536}}",
    "{n/h: {80: }}",
  ]);
  refuses(workload, "locality", [
    "",
    "null",
    "{}",
    "{region: r}",
    "{region: r, zone: z}",
    "{region: r, zone: z, subzone: }",
    "{region: r, zone: z, subzone: 5}",
    "{region: r, region: r, zone: z, subzone: s}",
    "r",
  ]);
  accepts(workload, "locality", ["{region: r, zone: z, subzone: s, ignored: [5, {a: b}]}"]);
  refuses(workload, "status", ["healthy", "HEALTHY", "true", ""]);
  accepts(workload, "capacity", ["0", "1", "0x10", "4294967295", "!!int '7'"]);
  refuses(workload, "capacity", [
    "'1'",
    "1.0",
    "1e3",
    "-1",
    "4294967296",
    "99999999999999999999",
    "",
    "null",
    ".inf",
  ]);
  accepts(workload, "protocol", ["TCP", "HBONE"]);
  refuses(workload, "protocol", ["tcp", "NONE", ""]);
  accepts(workload, "networkMode", ["Standard", "HostNetwork"]);
  refuses(workload, "networkMode", ["HOST_NETWORK", ""]);
  for (const key of ["networkGateway", "waypoint"]) {
    accepts(workload, key, [
      "",
      "null",
      "{destination: a/b/c, hboneMtlsPort: 1}",
      "{destination: /::1, hboneMtlsPort: 1}",
    ]);
    refuses(workload, key, [
      "{}",
      "a/b",
      "{destination: a/b}",
      "{hboneMtlsPort: 1}",
      "{destination: ab, hboneMtlsPort: 1}",
      "{destination: {a: b}, hboneMtlsPort: 1}",
      "{destination: a/b, hboneMtlsPort: 65536}",
      "{destination: a/b, hboneMtlsPort: 1, more: 2}",
    ]);
  }
  accepts(workload, "nativeTunnel", ["true", "False"]);
  refuses(workload, "nativeTunnel", ["yes", "1", "'true'", ""]);
  accepts(workload, "applicationTunnel", ["{protocol: NONE}", "{protocol: PROXY, port: 0}"]);
  refuses(workload, "applicationTunnel", [
    "{}",
    "{protocol: TCP}",
    "{protocol: NONE, port: 65536}",
    "{protocol: NONE, x: 1}",
  ]);
  accepts(workload, "authorizationPolicies", ["[]", "[n/p]"]);
  refuses(workload, "authorizationPolicies", ["n/p", "[5]", "[null]", "{}"]);
  for (
    const key of ["weight", "health", "cluster", "region", "addresses", "hostNetwork", "workload_name", "UID"]
  ) {
    refuses(workload, key, ["x"]);
  }
});

describe("a service of the mesh file", () => {
  it("has these defaults", () => {
    assert.deepEqual(service({}), {
      name: "web",
      namespace: "n",
      hostname: "h",
      vips: [{ network: "", address: "10.96.0.1" }],
      ranges: [],
      ports: new Map([[80, 8080]]),
      loadBalancer: null,
      ipFamilies: null,
      canonical: false,
      visibility: "Public",
      needsWaypoint: false,
      assigned: null,
      outlierDetection: true,
      endpoints: [],
    });
  });

  it("is read in full", () => {
    const endpoint = "{workloadUid: u, port: {80: 9090}, status: Unhealthy}";
    const written = {
      vips: "[net/10.96.0.1, '/FD00::1', '/::ffff:10.96.0.2']",
      ports: "{80: 8080, 443: 0, 80: 8081}",
      cidrVips: "[{network: '', cidr: 10.5.7.9/16}, {network: net, cidr: 'fd00::ffff/64'}]",
      loadBalancer: "{routingPreferences: [Network, Region, Region], mode: Failover, healthPolicy: AllowAll}",
      ipFamilies: "Dual",
      canonical: "true",
      visibility: "Namespace",
      weightedWaypoints: "[{destination: {destination: n/w, hboneMtlsPort: 15008}, weight: 3}]",
      subjectAltNames: "[a, b]",
      endpoints: `{e: ${endpoint}}`,
    };
    assert.deepEqual(service(written), {
      name: "web",
      namespace: "n",
      hostname: "h",
      vips: [
        { network: "net", address: "10.96.0.1" },
        { network: "", address: "fd00::1" },
        { network: "", address: "10.96.0.2" },
      ],
      ranges: [
        { network: "", address: "10.5.0.0", prefixLength: 16 },
        { network: "net", address: "fd00::", prefixLength: 64 },
      ],
      ports: new Map([[80, 8081], [443, 0]]),
      loadBalancer: {
        routingPreferences: ["Network", "Region", "Region"],
        mode: "Failover",
        healthPolicy: "AllowAll",
      },
      ipFamilies: "Dual",
      canonical: true,
      visibility: "Namespace",
      needsWaypoint: true,
      assigned: null,
      outlierDetection: true,
      endpoints: [{ workloadUid: "u", ports: new Map([[80, 9090]]) }],
    });
  });

  for (const key of ["name", "namespace", "hostname"]) {
    refuses(service, key, [undefined, "", "5", "true", "null", "[a]"]);
  }
  accepts(service, "vips", ["[]", "[a/::1]"]);
  refuses(service, "vips", [
    undefined,
    "",
    "/10.0.0.1",
    "[10.0.0.1]",
    "[/10.0.0.1/32]",
    "[10.0.0.0/16]",
    "[/host]",
    "[/]",
    "[5]",
    "[/10.0.0.01]",
  ]);
  accepts(service, "ports", ["{}", "{0: 65535}", "{0x50: 80}"]);
  refuses(service, "ports", [
    undefined,
    "",
    "[80]",
    "{80: 80800}",
    "{'80': 80}",
    "{80: '80'}",
    "{http: 80}",
    "{80: -1}",
  ]);
  accepts(service, "cidrVips", [
    "[]",
    "",
    "[{network: '', cidr: 10.0.0.0/8, ignored: 1}]",
    "[{network: a, cidr: '::/0'}]",
  ]);
  refuses(service, "cidrVips", [
    "[/10.5.0.0/16]",
    "[{network: ''}]",
    "[{cidr: 10.0.0.0/8}]",
    "[{network: '', cidr: 10.0.0.0}]",
    "[{network: '', cidr: 10.0.0.0/33}]",
    "[{network: '', cidr: 10.0.0.0/08}]",
    "[{network: '', cidr: 10.0.0.0/-1}]",
    "[{network: '', cidr: '::/129'}]",
    "[{network: '', cidr: /10.5.0.0/16}]",
    "[{network: 5, cidr: 10.0.0.0/8}]",
  ]);
  accepts(service, "loadBalancer", [
    "",
    "null",
    "{routingPreferences: [], mode: Standard, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Zone, Subzone, Node, Cluster], mode: Passthrough, healthPolicy: OnlyHealthy}",
  ]);
  refuses(service, "loadBalancer", [
    "{}",
    "{mode: Strict, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Region], healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Region], mode: Strict}",
    "{routingPreferences: , mode: Strict, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [REGION], mode: Strict, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Region], mode: STRICT, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Region], mode: UNSPECIFIED_MODE, healthPolicy: OnlyHealthy}",
    "{routingPreferences: [Region], mode: Strict, healthPolicy: ONLY_HEALTHY}",
    "{routingPreferences: [Region], mode: Strict, healthPolicy: OnlyHealthy, more: 1}",
  ]);
  refuses(service, "loadBalancing", ["{}"]);
  accepts(service, "outlierDetection", ["On", "Off"]);
  refuses(service, "outlierDetection", ["", "on", "true", "{}"]);
  accepts(service, "ipFamilies", ["", "null", "IPv4", "IPv6", "Dual"]);
  refuses(service, "ipFamilies", ["ipv4", "[IPv4]"]);
  refuses(service, "canonical", ["", "yes", "1"]);
  refuses(service, "visibility", ["", "public", "Private"]);
  accepts(service, "waypoint", ["", "{destination: /10.0.0.1, hboneMtlsPort: 15008}"]);
  refuses(service, "waypoint", ["n/h", "{destination: nh, hboneMtlsPort: 15008}"]);
  refuses(service, "weightedWaypoints", [
    "[{destination: n/h, hboneMtlsPort: 1, weight: 1}]",
    "[{destination: {destination: n/h, hboneMtlsPort: 1}}]",
    "[{destination: {destination: n/h, hboneMtlsPort: 1}, weight: '1'}]",
  ]);
  refuses(service, "subjectAltNames", ["a", "[5]"]);
  accepts(service, "endpoints", ["{}", ""]);
  refuses(service, "endpoints", [
    "[]",
    "{e: {}}",
    "{e: {port: {}, status: Healthy}}",
    "{e: {workloadUid: u, status: Healthy}}",
    "{e: {workloadUid: u, port: {}}}",
    "{e: {workloadUid: u, port: {}, status: up}}",
    "{e: {workloadUid: u, port: {}, status: Healthy, more: 1}}",
    "{5: {workloadUid: u, port: {}, status: Healthy}}",
  ]);
  for (const key of ["weight", "addresses", "Name", "vip"]) refuses(service, key, ["x"]);

  it("has its endpoints set aside unless it says that it does not want it", () => {
    assert.equal(service({}).outlierDetection, true);
    assert.equal(service({ outlierDetection: "On" }).outlierDetection, true);
    assert.equal(service({ outlierDetection: "Off" }).outlierDetection, false);
  });

  it("needs a waypoint that it names, with or without weight", () => {
    const waypoint = "{destination: n/w, hboneMtlsPort: 15008}";
    assert.equal(service({ waypoint }).needsWaypoint, true);
    assert.equal(service({ waypoint: "null", weightedWaypoints: "[]" }).needsWaypoint, false);
  });

  const ranges: [cidr: string, address: string, prefixLength: number][] = [
    ["10.5.7.9/0", "0.0.0.0", 0],
    ["10.5.7.9/12", "10.0.0.0", 12],
    ["10.5.7.9/31", "10.5.7.8", 31],
    ["10.5.7.9/32", "10.5.7.9", 32],
    ["fd00:1:2:3:4:5:6:7/0", "::", 0],
    ["fd00:1:2:3:4:5:6:7/62", "fd00:1:2::", 62],
    ["fd00:1:2:3:4:5:6:7/128", "fd00:1:2:3:4:5:6:7", 128],
    ["::ffff:10.5.7.9/112", "10.5.0.0", 16],
    ["::ffff:10.5.7.9/96", "0.0.0.0", 0],
    ["::ffff:10.5.7.9/95", "::fffe:0:0", 95],
  ];
  for (const [cidr, address, prefixLength] of ranges) {
    it(`the range ${cidr} is ${address}/${prefixLength}`, () => {
      const cidrVips = `[{network: '', cidr: '${cidr}'}]`;
      assert.deepEqual(service({ cidrVips }).ranges, [{ network: "", address, prefixLength }]);
    });
  }
});

describe("a policy of the mesh file", () => {
  it("is read without its rules", () => {
    const text = `policies: [${
      flow({ ...plainPolicy, scope: "WorkloadSelector", action: "Deny", dryRun: "true" })
    }]`;
    assert.deepEqual(parseMesh(text, "mesh.yaml").mesh.policies, [
      { name: "p", namespace: "n", scope: "WorkloadSelector", action: "Deny", dryRun: true },
    ]);
  });

  for (const key of ["name", "namespace", "scope", "action", "dryRun", "rules"]) {
    refuses(policy, key, [undefined, ""]);
  }
  refuses(policy, "scope", ["global", "GLOBAL"]);
  refuses(policy, "action", ["allow"]);
  refuses(policy, "dryRun", ["no"]);
  refuses(policy, "rules", ["{}", "[{}]", "[[{}]]", "[[[x]]]"]);
  refuses(policy, "selector", ["{}"]);

  for (const not of [false, true]) {
    const named = (key: string) => not ? `not${key[0].toUpperCase()}${key.slice(1)}` : key;
    accepts(match, named("namespaces"), ["[]", "", "[a]"]);
    refuses(match, named("namespaces"), ["a", "[5]"]);
    accepts(match, named("principals"), ["[]", "[!Exact a, !Prefix a, !Suffix a, !Presence []]"]);
    refuses(match, named("principals"), [
      "[a]",
      "[{Exact: a}]",
      "[!Exact 5]",
      "[!Presence a]",
      "[!Presence [a]]",
    ]);
    accepts(match, named("serviceAccounts"), ["[{namespace: a, serviceAccount: b}]"]);
    refuses(match, named("serviceAccounts"), [
      "[a/b]",
      "[{namespace: a}]",
      "[{namespace: a, serviceAccount: b, c: d}]",
    ]);
    for (const key of ["sourceIps", "destinationIps"]) {
      accepts(match, named(key), ["[10.0.0.0/8, '::/0']"]);
      refuses(match, named(key), ["[10.0.0.1]", "[5]"]);
    }
    accepts(match, named("destinationPorts"), ["[80, 0x50]"]);
    refuses(match, named("destinationPorts"), ["['80']", "[80.0]", "[65536]"]);
  }
  accepts(match, "whatever", ["[a, {b: c}]"]);
  for (const text of ["!Foo a", "!exact a", "!!binary aaaa"]) {
    it(`the tag of ${text} is refused, even where keys are ignored`, () => {
      assert.throws(() => match({ whatever: text }), /: unknown tag !/);
    });
  }
});
