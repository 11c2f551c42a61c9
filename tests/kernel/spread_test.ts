import { it } from "@std/testing/bdd";
import {
  assertSpread,
  at,
  describeKernel,
  flawless,
  type HammerKind,
  mapped,
  repetitions,
  useWorld,
} from "../kit/mod.ts";

/** Every combination of weights that takes another path in the kernel. */
const weights: Record<string, Record<string, number>> = {
  alike: { a: 1, b: 1, c: 1, d: 1 },
  alone: { a: 1 },
  three: { a: 1, b: 1, c: 1 },
  weighted: { a: 1, b: 2, c: 5, d: 2 },
  lopsided: { a: 1, b: 49 },
  "weighted alike": { a: 7, b: 7 },
  "with some that are never chosen": { a: 3, b: 0, c: 1, d: 0 },
  "at the limits": { a: 4294967295, b: 4294967295, c: 2147483648 },
};

const names = Object.keys(weights);
const vip4 = (name: string) => `10.96.0.${names.indexOf(name) + 1}`;
const vip6 = (name: string) => `fd96::${names.indexOf(name) + 1}`;

/** Tells which hook balances, and whether it is asked over IPv6 for an IPv4 VIP. */
const ways: { kind: HammerKind; target: (name: string) => string }[] = [
  { kind: "tcp4", target: (name) => at(vip4(name), 80) },
  { kind: "tcp6", target: (name) => at(vip6(name), 80) },
  { kind: "tcp6", target: (name) => mapped(at(vip4(name), 80)) },
  { kind: "udp4", target: (name) => at(vip4(name), 80) },
  { kind: "udp6", target: (name) => at(vip6(name), 80) },
  { kind: "send4", target: (name) => at(vip4(name), 80) },
  { kind: "send6", target: (name) => at(vip6(name), 80) },
  { kind: "send6", target: (name) => mapped(at(vip4(name), 80)) },
];

describeKernel("connections are spread by weight", () => {
  const world = useWorld({
    services: Object.fromEntries(names.map((name) => [
      name.replaceAll(" ", "-"),
      {
        vips: [vip4(name), vip6(name)],
        members: Object.fromEntries(
          // What has weight 1 says nothing: unset means 1.
          Object.entries(weights[name]).map((
            [server, capacity],
          ) => [server, capacity === 1 ? {} : { capacity }]),
        ),
      },
    ])),
  });

  for (const name of names) {
    it(`${name}: ${Object.entries(weights[name]).map(([server, weight]) => `${server} ${weight}`).join(", ")}`, async () => {
      const { net } = world();
      for (const { kind, target } of ways) {
        const result = await net.hammer({ kind, targets: [target(name)], count: repetitions(3000, 600) });
        assertSpread(flawless(result).servers, weights[name]);
      }
    });
  }
});
