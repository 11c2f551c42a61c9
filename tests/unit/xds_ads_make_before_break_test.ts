import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { converse, settled, wildcard } from "./_ads_conversation.ts";
import { assignment, cluster, listener, routes, tcp } from "./_ads_messages.ts";

describe("xds ads: is complete", () => {
  it("when everything that was asked for has come once, and stays so", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web"));
    await talk.send("lds", "1", wildcard());
    assert.equal(talk.protocol.complete, false);
    await talk.send("rds", "1", routes("81", { "10.96.0.2": "web" }));
    assert.equal(talk.protocol.complete, false);
    await talk.send("eds", "1", assignment("web", "10.0.0.1:1"));
    assert.equal(talk.protocol.complete, true);
    await talk.send("cds", "2", cluster("web"), cluster("new"));
    await talk.open();
    assert.equal(talk.protocol.complete, true);
  });

  it("when what does not come has been given up", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1", cluster("web"), cluster("gone"));
    await talk.send("lds", "1", listener("web", "10.96.0.1:80", [tcp("web")]));
    await talk.send("eds", "1", assignment("web", "10.0.0.1:1"));
    assert.equal(talk.protocol.complete, false);
    talk.pass(15);
    assert.equal(talk.protocol.complete, true);
    assert.ok(talk.protocol.notes.includes("endpoints gone: did not come"));
  });

  it("not without listeners", async () => {
    const talk = converse();
    await talk.open();
    await talk.send("cds", "1");
    talk.pass(60);
    assert.equal(talk.protocol.complete, false);
  });
});

describe("xds ads: make before break", () => {
  it("a new service is served when its endpoints have come", async () => {
    const talk = await settled();
    await talk.send("cds", "2", cluster("web"), cluster("new"));
    await talk.send("lds", "2", wildcard(), listener("new", "10.96.0.3:80", [tcp("new")]));
    assert.equal(talk.served["10.96.0.3:80"], undefined);
    await talk.send("eds", "2", assignment("new", "10.0.0.3:1"));
    assert.equal(talk.served["10.96.0.3:80"], "10.0.0.3:1");
  });

  it("one that moves to another cluster is served as before until that one's endpoints have come", async () => {
    const talk = await settled();
    await talk.send("cds", "2", cluster("web"), cluster("new"));
    await talk.send("lds", "2", wildcard(), listener("web", "10.96.0.1:80", [tcp("new")]));
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:8080");
    await talk.send("eds", "2", assignment("new", "10.0.0.3:1"));
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.3:1");
  });

  it("a listener with other routes is as before until those have come", async () => {
    const talk = await settled();
    await talk.send("lds", "2", wildcard("82"));
    assert.equal(talk.served["10.96.0.2:81"], "10.0.0.1:8080");
    await talk.send("rds", "2", routes("82", { "10.96.0.5": "web" }));
    assert.deepEqual(Object.keys(talk.served), ["10.96.0.5:81"]);
  });

  it("what nobody names any more goes when nothing new is waited for", async () => {
    const talk = await settled();
    await talk.send("cds", "2", cluster("web"), cluster("new"));
    await talk.send("lds", "2", listener("new", "10.96.0.3:80", [tcp("new")]));
    assert.deepEqual(Object.keys(talk.served).sort(), ["10.96.0.1:80", "10.96.0.2:81"]);
    await talk.send("eds", "2", assignment("new", "10.0.0.3:1"));
    assert.deepEqual(Object.keys(talk.served), ["10.96.0.3:80"]);
  });

  it("a cluster that goes before its listener does takes nothing with it", async () => {
    const talk = await settled();
    await talk.send("cds", "2");
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:8080");
    await talk.send("lds", "2");
    assert.deepEqual(talk.served, {});
  });

  it("a listener whose cluster is gone for 15 s refuses", async () => {
    const talk = await settled();
    await talk.send("cds", "2");
    talk.pass(14);
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:8080");
    talk.pass(1);
    assert.equal(talk.served["10.96.0.1:80"], "");
  });

  it("endpoints that do not come for 15 s are none; when they come after all they count", async () => {
    const talk = await settled();
    await talk.send("cds", "2", cluster("web"), cluster("new"));
    await talk.send("lds", "2", wildcard(), listener("new", "10.96.0.3:80", [tcp("new")]));
    talk.pass(15);
    assert.equal(talk.served["10.96.0.3:80"], "");
    await talk.send("eds", "2", assignment("new", "10.0.0.3:1"));
    assert.equal(talk.served["10.96.0.3:80"], "10.0.0.3:1");
    assert.deepEqual(talk.protocol.notes.filter((note) => note.includes("did not come")), []);
  });

  it("routes that do not come for 15 s are none; when they come after all they count", async () => {
    const talk = await settled();
    await talk.send("lds", "2", wildcard("82"));
    talk.pass(15);
    assert.deepEqual(talk.served, {});
    assert.ok(talk.protocol.notes.includes("routes 82: did not come"));
    await talk.send("rds", "2", routes("82", { "10.96.0.5": "web" }));
    assert.deepEqual(Object.keys(talk.served), ["10.96.0.5:81"]);
  });

  it("a new stream waits anew", async () => {
    const talk = await settled();
    await talk.send("cds", "2");
    talk.pass(14);
    await talk.open();
    talk.pass(14);
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:8080");
    talk.pass(1);
    assert.equal(talk.served["10.96.0.1:80"], "");
  });

  it("an assignment without endpoints takes them away at once", async () => {
    const talk = await settled();
    await talk.send("eds", "2", assignment("web"));
    assert.equal(talk.served["10.96.0.1:80"], "");
  });

  it("a cluster that changes its type is served as before until its endpoints have come", async () => {
    const talk = converse();
    await talk.open();
    const inline = { cluster_name: "web", endpoints: [] };
    await talk.send("cds", "1", cluster("web", { type: 0, load_assignment: inline }));
    await talk.send("lds", "1", listener("web", "10.96.0.1:80", [tcp("web")]));
    assert.equal(talk.served["10.96.0.1:80"], "");
    await talk.send("cds", "2", cluster("web"));
    assert.equal(talk.served["10.96.0.1:80"], "");
    await talk.send("eds", "2", assignment("web", "10.0.0.1:1"));
    assert.equal(talk.served["10.96.0.1:80"], "10.0.0.1:1");
  });
});
