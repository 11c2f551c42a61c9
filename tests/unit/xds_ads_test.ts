import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { discoveryResponseType, EnvelopeError, resourceType } from "../../src/xds/proto/mod.ts";
import { routeConfigurationType } from "../../src/xds/ads/messages.ts";
import { converse, settled, wildcard } from "./_ads_conversation.ts";
import { assignment, cluster, encode, http, listener, routes, tcp, urls } from "./_ads_messages.ts";
import { resourcesOf } from "./_xds_replay.ts";

/** The names of what is held. */
function held({ protocol }: ReturnType<typeof converse>, name: string): string[] {
  const collection = protocol.collections.find((one) => one.name === name)!;
  return [...collection.resources()].map((resource) => resource.name).sort();
}

describe("xds ads: a stream", () => {
  it("begins with clusters; endpoints and listeners follow them, routes follow listeners; the node is told once", async () => {
    const talk = converse();
    assert.deepEqual(await talk.open(), [{ type: "cds", node: true }]);
    assert.deepEqual(await talk.send("cds", "1", cluster("b"), cluster("a")), [
      { type: "cds", version: "1", nonce: "cds-1" },
      { type: "eds", names: ["a", "b"] },
      { type: "lds" },
    ]);
    assert.deepEqual(await talk.send("lds", "1", wildcard()), [
      { type: "lds", version: "1", nonce: "lds-2" },
      { type: "rds", names: ["81"] },
    ]);
  });

  it("asks for no endpoints where no cluster has any elsewhere, and for no routes where no listener names any", async () => {
    const talk = converse();
    await talk.open();
    assert.deepEqual(await talk.send("cds", "1", cluster("static", { type: 0 })), [
      { type: "cds", version: "1", nonce: "cds-1" },
      { type: "lds" },
    ]);
    assert.deepEqual(await talk.send("lds", "1", listener("web", "10.96.0.1:80", [tcp("static")])), [
      { type: "lds", version: "1", nonce: "lds-2" },
    ]);
    assert.ok(talk.protocol.complete);
  });

  it("asks for an assignment by its service name, where a cluster has one", async () => {
    const talk = converse();
    await talk.open();
    const [, eds] = await talk.send(
      "cds",
      "1",
      cluster("web", { eds_cluster_config: { service_name: "pool" } }),
    );
    assert.deepEqual(eds, { type: "eds", names: ["pool"] });
  });

  it("asks for listeners after 15 s without an answer about clusters", async () => {
    const talk = converse();
    await talk.open();
    assert.deepEqual(talk.pass(14), []);
    assert.deepEqual(talk.pass(1), [{ type: "lds" }]);
    assert.deepEqual(talk.pass(20), []);
  });
});

describe("xds ads: ACK and NACK", () => {
  it("a response is acknowledged with its version and nonce, and the whole list of names", async () => {
    const talk = await settled();
    assert.deepEqual(await talk.send("eds", "2", assignment("web", "10.0.0.2:8080")), [
      { type: "eds", version: "2", nonce: "eds-5", names: ["web"] },
    ]);
    assert.deepEqual(await talk.send("rds", "2", routes("81", { "10.96.0.2": "web" })), [
      { type: "rds", version: "2", nonce: "rds-6", names: ["81"] },
    ]);
  });

  it("one that makes no sense is refused with the last good version, its own nonce, and the resource's name and reason", async () => {
    const talk = await settled();
    const bad = assignment("web", { priority: 129 });
    assert.deepEqual(await talk.send("eds", "2", bad), [{
      type: "eds",
      version: "1",
      nonce: "eds-5",
      names: ["web"],
      error: "assignment web: priority 129 is above 128",
    }]);
    assert.deepEqual(
      talk.protocol.rejections.map(({ name, version, reason }) => ({ name, version, reason })),
      [
        { name: "web", version: "2", reason: "priority 129 is above 128" },
      ],
    );
  });

  it("nothing of a refused response is applied, and what was there stays in force", async () => {
    const talk = await settled();
    const before = talk.protocol.mesh;
    const [nack] = await talk.send("cds", "2", cluster("new"), cluster(""));
    assert.equal(nack.error, "a cluster: the name is empty");
    assert.deepEqual(held(talk, "clusters"), ["web"]);
    assert.equal(talk.protocol.mesh, before);
  });

  it("a good response after a refused one ends the rejection", async () => {
    const talk = await settled();
    await talk.send("cds", "2", cluster("web"), cluster(""));
    assert.equal(talk.protocol.rejections.length, 1);
    assert.deepEqual(await talk.send("cds", "3", cluster("web")), [
      { type: "cds", version: "3", nonce: "cds-6" },
    ]);
    assert.deepEqual(talk.protocol.rejections, []);
  });

  it("a rejected assignment stays rejected until one of its name is good", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("a"), cluster("b"));
    await talk.send("eds", "1", assignment("a", { priority: 200 }), assignment("b"));
    await talk.send("eds", "2", assignment("b"));
    assert.deepEqual(talk.protocol.rejections.map(({ name }) => name), ["a"]);
    assert.deepEqual(held(talk, "endpoints"), ["b"]);
    await talk.send("eds", "3", assignment("a"));
    assert.deepEqual(talk.protocol.rejections, []);
  });

  it("of clusters what the newest refused response says counts, and of assignments what is asked for", async () => {
    const talk = await settled();
    const names = () => talk.protocol.rejections.map(({ name }) => name);
    const bad = { circuit_breakers: null, load_assignment: { endpoints: [{ priority: 129 }] } };
    await talk.send("cds", "2", cluster("a", bad));
    await talk.send("cds", "3", cluster("b", bad));
    assert.deepEqual(names(), ["b"]);
    await talk.send("cds", "4", cluster("web"));
    await talk.send("eds", "2", assignment("web", { priority: 129 }), assignment("x", { priority: 129 }));
    await talk.send("eds", "3", assignment("y", { priority: 129 }));
    assert.deepEqual(names(), ["web", "y"]);
  });

  it("later requests after a NACK carry the nonce of what was refused and the version of what is in force", async () => {
    const talk = await settled();
    await talk.send("eds", "2", assignment("web", { priority: 129 }));
    const [, eds] = await talk.send("cds", "2", cluster("web"), cluster("shop"));
    assert.deepEqual(eds, { type: "eds", version: "1", nonce: "eds-5", names: ["shop", "web"] });
  });

  for (
    const [what, type, resource] of [
      ["bytes that are no message", "cds", { type_url: urls.cds, value: Uint8Array.of(0xff) }],
      ["another type", "cds", assignment("web")],
      ["no name", "lds", listener("", "10.96.0.1:80", [tcp("web")])],
      ["no address", "lds", listener("x", "10.96.0.1:80", [], { address: null })],
      ["a port above 65535", "lds", listener("x", "10.96.0.1:65536", [tcp("web")])],
      ["a TCP proxy to nowhere", "lds", listener("x", "10.96.0.1:80", [tcp("")])],
      [
        "a filter that cannot be read",
        "lds",
        listener("x", "10.96.0.1:80", [{
          filters: [{
            name: "tcp",
            typed_config: {
              type_url: "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
              value: Uint8Array.of(0xff),
            },
          }],
        }]),
      ],
      [
        "a range that is none",
        "lds",
        listener("x", "0.0.0.0:80", [
          tcp("web", { prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: { value: 33 } }] }),
        ]),
      ],
      ["an endpoint that is a name", "eds", assignment("web", "web.shop:80")],
      [
        "an endpoint of weight 0",
        "eds",
        assignment("web", { lb_endpoints: [], load_balancing_weight: { value: 0 } }),
      ],
      [
        "weights of localities that overflow",
        "eds",
        assignment(
          "web",
          { load_balancing_weight: { value: 0xffff_ffff } },
          { load_balancing_weight: { value: 1 } },
        ),
      ],
      ["a domain twice", "rds", routes("81", { "a.shop b.shop": "web", "B.shop": "web" })],
      [
        "a virtual host for nothing",
        "rds",
        {
          type_url: urls.rds,
          value: encode(routeConfigurationType, { name: "81", virtual_hosts: [{ name: "x" }] }),
        },
      ],
    ] as const
  ) {
    it(`refuses ${what}`, async () => {
      const talk = await settled();
      const before = await resourcesOf(talk.protocol);
      const [answer] = await talk.send(type, "2", resource);
      assert.ok(answer.error, "a NACK");
      assert.equal(answer.version, "1");
      assert.deepEqual({ ...await resourcesOf(talk.protocol), rejected: [] }, before);
    });
  }

  it("refuses a name that is in a response more than once", async () => {
    const talk = await settled();
    const twice = [cluster("web"), cluster("web")];
    const [{ error }] = await talk.send("cds", "2", ...twice);
    assert.equal(error, "cluster web: it is in the response more than once");
    const [again] = await talk.send("cds", "3", cluster("web"), cluster("web", { lb_policy: 3 }));
    assert.equal(again.error, error);
  });

  it("names no more than 20 of the resources that it refuses", async () => {
    const talk = await settled();
    const bad = Array.from({ length: 30 }, (_, i) => assignment(`a${i}`, { priority: 129 }));
    const [{ error }] = await talk.send("eds", "2", ...bad);
    assert.match(error!, /assignment a19: .*; and 10 more$/);
  });

  it("takes fields and enum values that it does not know", async () => {
    const talk = converse();
    await talk.open();
    const unknown = cluster("web", { type: 77, lb_policy: 99 });
    // Field 2047, length-delimited.
    const value = Uint8Array.of(...unknown.value, 0xfa, 0x7f, 1, 0);
    const [answer] = await talk.send("cds", "1", { ...unknown, value });
    assert.equal(answer.error, undefined);
    assert.partialDeepStrictEqual((await resourcesOf(talk.protocol)).clusters, [{
      type: "77",
      lbPolicy: "99",
    }]);
  });

  it("takes a resource in a wrapper", async () => {
    const talk = converse();
    await talk.open();
    const value = resourceType.encode({ name: "web", version: "7", resource: cluster("web") });
    const type_url = "type.googleapis.com/envoy.service.discovery.v3.Resource";
    const [answer] = await talk.send("cds", "1", { type_url, value });
    assert.equal(answer.error, undefined);
    assert.deepEqual(held(talk, "clusters"), ["web"]);
  });

  it("does not answer a type that was not asked for", async () => {
    const talk = converse();
    await talk.open();
    assert.deepEqual(await talk.send("rds", "1", routes("81", {})), []);
    const response = { type_url: "type.googleapis.com/envoy.x", nonce: "n", version_info: "1" };
    const bytes = discoveryResponseType.encode(response);
    assert.deepEqual(await talk.protocol.receive(bytes, new Date(0)), []);
  });

  it("refuses a response that is cut off after its nonce, and fails for one whose nonce is not known", async () => {
    const talk = await settled();
    const head = discoveryResponseType.encode({ version_info: "2", nonce: "n", type_url: urls.cds });
    const answers = await talk.protocol.receive(Uint8Array.of(...head, 0x12, 0x7f, 1), new Date(0));
    assert.equal(answers.length, 1);
    assert.equal(talk.protocol.types[0].nacks, 1);
    assert.deepEqual(held(talk, "clusters"), ["web"]);
    await assert.rejects(talk.protocol.receive(Uint8Array.of(0x12, 0x7f, 1), new Date(0)), EnvelopeError);
  });
});

describe("xds ads: what is missing in a response", () => {
  it("has gone, where it is a cluster or a listener", async () => {
    const talk = await settled();
    await talk.send("lds", "2", wildcard());
    assert.deepEqual(held(talk, "listeners"), ["0.0.0.0_81"]);
    assert.deepEqual(Object.keys(talk.served), ["10.96.0.2:81"]);
    await talk.send("lds", "3");
    await talk.send("cds", "3");
    assert.deepEqual([...held(talk, "listeners"), ...held(talk, "clusters")], []);
    assert.deepEqual(talk.served, {});
  });

  it("is still there, where it is an assignment or a route configuration", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("a"), cluster("b"));
    await talk.send("eds", "1", assignment("a"), assignment("b"));
    await talk.send("eds", "2", assignment("a", "10.0.0.9:1"));
    await talk.send("eds", "3");
    assert.deepEqual(held(talk, "endpoints"), ["a", "b"]);
    await talk.send("lds", "1", wildcard("81"), listener("x", "0.0.0.0:82", [http("82")]));
    await talk.send("rds", "1", routes("81", {}), routes("82", {}));
    await talk.send("rds", "2", routes("82", { "10.96.0.9": "a" }));
    assert.deepEqual(held(talk, "routes"), ["81", "82"]);
  });

  it("does not change the version of what came with an earlier one", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("a"), cluster("b"));
    await talk.send("eds", "1", assignment("a"), assignment("b"));
    await talk.send("eds", "2", assignment("b"));
    const { meta } = await resourcesOf(talk.protocol) as {
      meta: { endpoints: Record<string, { version: string }> };
    };
    assert.deepEqual([meta.endpoints.a.version, meta.endpoints.b.version], ["1", "2"]);
  });
});

describe("xds ads: subscriptions", () => {
  it("an assignment goes when no cluster names it any more, and a route configuration when no listener does", async () => {
    const talk = await settled();
    const answers = await talk.send("lds", "2", wildcard("82"));
    assert.deepEqual(answers[1], { type: "rds", version: "1", nonce: "rds-4", names: ["82"] });
    assert.deepEqual(held(talk, "routes"), []);
    assert.deepEqual(await talk.send("cds", "2", cluster("shop")), [
      { type: "cds", version: "2", nonce: "cds-6" },
      { type: "eds", version: "1", nonce: "eds-2", names: ["shop"] },
    ]);
    assert.deepEqual(held(talk, "endpoints"), []);
  });

  it("the last name that goes is a request without names; what is under way still is acknowledged and ignored", async () => {
    const talk = await settled();
    const [, eds] = await talk.send("cds", "2");
    assert.deepEqual(eds, { type: "eds", version: "1", nonce: "eds-2" });
    assert.deepEqual(await talk.send("eds", "2", assignment("web", "10.0.0.7:1")), [
      { type: "eds", version: "2", nonce: "eds-6" },
    ]);
    assert.deepEqual(held(talk, "endpoints"), []);
  });

  it("names after that begin anew", async () => {
    const talk = await settled();
    await talk.send("cds", "2");
    const [, eds] = await talk.send("cds", "3", cluster("web"));
    assert.deepEqual(eds, { type: "eds", version: "1", nonce: "eds-2", names: ["web"] });
    await talk.send("eds", "3", assignment("web", "10.0.0.7:1"));
    assert.deepEqual(held(talk, "endpoints"), ["web"]);
  });

  it("no request for the same names again", async () => {
    const talk = await settled();
    assert.equal((await talk.send("cds", "2", cluster("web", { lb_policy: 3 }))).length, 1);
    assert.equal((await talk.send("lds", "2", wildcard())).length, 1);
  });

  it("what was not asked for is ignored", async () => {
    const talk = await settled();
    const [answer] = await talk.send(
      "eds",
      "2",
      assignment("other", "10.0.0.9:1"),
      assignment("web", "10.0.0.2:1"),
    );
    assert.deepEqual(answer, { type: "eds", version: "2", nonce: "eds-5", names: ["web"] });
    assert.deepEqual(held(talk, "endpoints"), ["web"]);
  });
});

describe("xds ads: another stream", () => {
  it("asks for all that is known, with versions and without nonces, and tells the node again", async () => {
    const talk = await settled();
    await talk.send("eds", "2", assignment("web", "10.0.0.2:8080"));
    assert.deepEqual(await talk.open(), [
      { type: "cds", version: "1", node: true },
      { type: "eds", version: "2", names: ["web"] },
      { type: "lds", version: "1" },
      { type: "rds", version: "1", names: ["81"] },
    ]);
  });

  it("keeps what is there until it is told otherwise", async () => {
    const talk = await settled();
    const before = talk.protocol.mesh;
    await talk.open();
    assert.equal(talk.protocol.mesh, before);
    // The same once more, as istiod does.
    await talk.send("cds", "1", cluster("web"));
    await talk.send("eds", "1", assignment("web", "10.0.0.1:8080"));
    await talk.send("lds", "1", wildcard(), listener("web", "10.96.0.1:80", [tcp("web")]));
    assert.equal(talk.protocol.mesh, before);
  });

  it("begins with clusters alone where none were accepted before", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster(""));
    assert.deepEqual(await talk.open(), [{ type: "cds", node: true }]);
  });
});

describe("xds ads: what is told", () => {
  it("by type: how many, which version, how many responses and refusals", async () => {
    const talk = await settled();
    await talk.send("eds", "2", assignment("web", { priority: 129 }));
    const types = talk.protocol.types.map(({ typeUrl, lastReceived, took, ...rest }) => {
      assert.ok(lastReceived);
      assert.ok(took && took.decodeMs >= 0 && took.storeMs >= 0);
      return { type: typeUrl.split(".").at(-1), ...rest };
    });
    assert.deepEqual(types, [
      { type: "Cluster", resources: 1, version: "1", responses: 1, nacks: 0 },
      { type: "ClusterLoadAssignment", resources: 1, version: "1", responses: 2, nacks: 1 },
      { type: "Listener", resources: 2, version: "1", responses: 1, nacks: 0 },
      { type: "RouteConfiguration", resources: 1, version: "1", responses: 1, nacks: 0 },
    ]);
    assert.deepEqual(talk.protocol.extras, { subscriptions: { eds: ["web"], rds: ["81"] } });
  });

  it("the same endpoints in another order are no change", async () => {
    const talk = await settled();
    await talk.send("eds", "2", assignment("web", "10.0.0.1:1", "10.0.0.2:1"));
    const before = talk.protocol.mesh;
    await talk.send("eds", "3", assignment("web", "10.0.0.2:1", "10.0.0.1:1"));
    assert.equal(talk.protocol.mesh, before);
  });
});
