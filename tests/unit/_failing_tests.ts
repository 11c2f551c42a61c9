/** Tests that pass, fail and are skipped in every way there is; bdd_test.ts runs them and looks at the result. */

import { after, afterEach, before, beforeEach, describe, it } from "@std/testing/bdd";

const soon = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
function fail(): never {
  throw new Error("meant to fail");
}

describe("outer", () => {
  const log: string[] = [];
  before(async () => {
    await soon();
    log.push("before");
  });
  after(() => console.log(`LOG ${log.join(" ")}`));
  beforeEach(() => void log.push("beforeEach"));
  afterEach(() => void log.push("afterEach"));
  it("passes", () => void log.push("passes"));
  it("passes later", soon);
  describe("inner", () => {
    before(() => void log.push("innerBefore"));
    beforeEach(() => void log.push("innerBeforeEach"));
    afterEach(() => void log.push("innerAfterEach"));
    it("fails", fail);
    it("fails later", () => soon().then(fail));
    it.skip("is skipped", fail);
  });
});

describe("before throws", () => {
  before(fail);
  it("does not run", () => {});
});

describe("after throws", () => {
  after(fail);
  it("passes", () => {});
});

describe("beforeEach throws", () => {
  beforeEach(fail);
  it("fails", () => {});
});

describe("afterEach throws", () => {
  afterEach(fail);
  it("fails", () => {});
});

describe("ignored by option", () => {
  it("is skipped", { ignore: true }, fail);
  it("passes", () => {});
});

it("passes alone", () => {});
it.ignore("is skipped alone", fail);
