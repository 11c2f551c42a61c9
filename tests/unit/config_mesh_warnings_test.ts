import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { parseMesh } from "../../src/config/mod.ts";

function warnings(text: string): readonly string[] {
  return parseMesh(text, "mesh.yaml").warnings;
}

/** A service on one line. */
function service(hostname: string, more = "", namespace = "n"): string {
  const ports = more.includes("ports:") ? "" : "ports: {}, ";
  const vips = more.includes("vips:") ? "" : "vips: [], ";
  return `- {name: s, namespace: ${namespace}, hostname: ${hostname}, ${vips}${ports}${more}}\n`;
}

/** A workload on one line. */
function workload(uid: string, services: string, more = ""): string {
  return `- {uid: ${uid}, name: w, namespace: n, workloadIps: [], services: ${services}, ${more}}\n`;
}

function loadBalancer(mode: string, preferences = "[Region]"): string {
  return `loadBalancer: {routingPreferences: ${preferences}, mode: ${mode}, healthPolicy: OnlyHealthy}`;
}

const policy = "namespace: n, scope: Global, action: Allow, dryRun: false, rules: ";

describe("the warnings for a mesh file", () => {
  it("there are none for what needs none", () => {
    const services = service(
      "a",
      `vips: [/10.0.0.1, /10.0.0.1, net/10.0.0.1], ports: {80: 80}, ${loadBalancer("Passthrough")}`,
    );
    const workloads = workload("u", "{n/a: {80: 80}}", "locality: {region: a, zone: b, subzone: c}");
    assert.deepEqual(warnings(`services:\n${services}workloads:\n${workloads}`), []);
  });

  it("policies are not enforced", () => {
    assert.deepEqual(warnings(`policies:\n- {name: p, ${policy}[]}\n- {name: q, ${policy}[]}\n`), [
      "mesh.yaml:2: policy n/p is not enforced yet",
      "mesh.yaml:3: policy n/q is not enforced yet",
    ]);
  });

  it("a VIP that several services claim: who does, and whose it is", () => {
    const vips = "vips: [/10.0.0.1, net/10.0.0.1]";
    const services = service("a", vips) + service("b", "vips: [/::ffff:10.0.0.1]", "m") +
      service("c", `${vips}, canonical: true`, "o");
    assert.deepEqual(warnings(`services:\n${services}`), [
      "mesh.yaml:4: VIP /10.0.0.1 is claimed by n/a, m/b, o/c: it belongs to o/c",
      "mesh.yaml:4: VIP net/10.0.0.1 is claimed by n/a, o/c: it belongs to o/c",
    ]);
  });

  it("a contested VIP that nobody gets", () => {
    const more = "vips: [/10.0.0.1], visibility: Namespace";
    assert.deepEqual(warnings(`services:\n${service("a", more)}${service("b", more, "m")}`), [
      "mesh.yaml:3: VIP /10.0.0.1 is claimed by n/a, m/b: it belongs to none of them, for none may be seen from everywhere",
    ]);
  });

  it("a VIP that very many services claim", () => {
    const services = Array.from({ length: 13 }, (_, i) => service(`h${i}`, "vips: [/10.0.0.1]")).join("");
    const named = Array.from({ length: 10 }, (_, i) => `n/h${i}`).join(", ");
    assert.deepEqual(warnings(`services:\n${services}`), [
      `mesh.yaml:14: VIP /10.0.0.1 is claimed by ${named} and 3 more: it belongs to n/h12`,
    ]);
  });

  it("a member of an unknown service", () => {
    const workloads = workload("u", "{n/a: {}, n/b: {}}") + workload("''", "\n    {n/a: {},\n    n/c: {}}");
    assert.deepEqual(warnings(`workloads:\n${workloads}services:\n${service("a")}`), [
      "mesh.yaml:2: workload u is a member of n/b, which is no service of this file",
      "mesh.yaml:5: workload without uid in namespace n is a member of n/c, which is no service of this file",
    ]);
  });

  it("a target port of 0, the service's and the workload's; a port that comes again counts by its last", () => {
    const services = service("a", "ports: {80: 0,\n 81: 0,\n 82: 0,\n 82: 82}");
    const workloads = workload("u", "{n/a: {80: 80, 81: 0}}");
    assert.deepEqual(warnings(`services:\n${services}workloads:\n${workloads}`), [
      "mesh.yaml:2: service n/a: port 80 has target port 0, so only endpoints with a port mapping of their own serve it",
      "mesh.yaml:3: service n/a: port 81 has target port 0, so only endpoints with a port mapping of their own serve it",
      "mesh.yaml:7: workload u does not serve port 81 of n/a: its target port is 0",
    ]);
  });

  it("keys that are ignored", () => {
    const locality = "locality: {region: a, zone: b, subzone: c,\n    rack: d, __proto__: e, 5: f}";
    const range = "cidrVips: [{network: '', cidr: 10.0.0.0/8, size: 5}]";
    const rules = "[[[{}, {namespaces: [a],\n  paths: [/x]}]]]";
    const text = `workloads:\n${workload("u", "{}", locality)}services:\n${service("a", range)}` +
      `policies:\n- {name: p, ${policy}${rules}}\n`;
    assert.deepEqual(warnings(text), [
      "mesh.yaml:7: policy n/p is not enforced yet",
      "mesh.yaml:3: workloads[0].locality.rack: key is ignored; known are region, zone, subzone",
      "mesh.yaml:3: workloads[0].locality.__proto__: key is ignored; known are region, zone, subzone",
      "mesh.yaml:3: workloads[0].locality[5]: key is ignored; known are region, zone, subzone",
      "mesh.yaml:5: services[0].cidrVips[0].size: key is ignored; known are network, cidr",
      "mesh.yaml:8: policies[0].rules[0][0][1].paths: key is ignored; known are namespaces, notNamespaces, " +
      "principals, notPrincipals, serviceAccounts, notServiceAccounts, sourceIps, notSourceIps, destinationIps, " +
      "notDestinationIps, destinationPorts, notDestinationPorts",
    ]);
  });

  it("after twenty of a kind, how many more there are", () => {
    const policies = (count: number) =>
      Array.from({ length: count }, (_, i) => `- {name: p${i}, ${policy}[]}\n`);
    assert.equal(warnings(`policies:\n${policies(20).join("")}`).length, 20);
    const services = service("a", "ports: {80: 0}");
    const said = warnings(`policies:\n${policies(25).join("")}services:\n${services}`);
    assert.equal(said.length, 22);
    assert.equal(said[19], "mesh.yaml:21: policy n/p19 is not enforced yet");
    assert.equal(said[20], "mesh.yaml: and 5 more policies that are not enforced yet");
    assert.match(said[21], /^mesh\.yaml:28: /);
  });

  it("stays on one line whatever names there are", () => {
    const named = `policies:\n- {name: "a\\nb\\u2028c\\e", ${policy}[]}\n`;
    assert.deepEqual(warnings(named), ["mesh.yaml:2: policy n/a\\u000ab\\u2028c\\u001b is not enforced yet"]);
  });
});
