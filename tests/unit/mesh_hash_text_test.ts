import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { hashText } from "../../src/mesh/mod.ts";

describe("hashText", () => {
  it("is the same in every version: the kernel holds what was made of it", () => {
    const texts = ["", "a", "outbound|80||web.shop.svc.cluster.local", "größer"];
    assert.deepEqual(texts.map(hashText), [-1421968373, 444641715, 218359152, 1116748375]);
  });

  it("spreads keys that differ little over all bits", () => {
    const counts = Array.from({ length: 32 }, () => 0);
    const total = 4096;
    for (let i = 0; i < total; i++) {
      const hash = hashText(`cluster//Pod/shop/web-${i}`);
      counts.forEach((_, bit) => counts[bit] += (hash >>> bit) & 1);
    }
    // Five standard deviations of a fair coin: 5 × √4096 / 2 = 160.
    counts.forEach((count, bit) => assert.ok(Math.abs(count - total / 2) < 160, `bit ${bit}: ${count}`));
  });
});
