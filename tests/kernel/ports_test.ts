import { it } from "@std/testing/bdd";
import {
  assertSpread,
  at,
  describeKernel,
  flawless,
  type HammerKind,
  repetitions,
  useWorld,
} from "../kit/mod.ts";

const kinds: HammerKind[] = ["tcp4", "tcp6", "udp4", "udp6", "send4", "send6"];
const vip = (kind: HammerKind, port: number) => at(kind.endsWith("4") ? "10.96.0.1" : "fd96::1", port);

describeKernel("ports are mapped", () => {
  const world = useWorld({
    // Each listens on one port only: a connection to any other would be refused.
    servers: { service: [8080], own: [7070], high: [65535], tls: [9443] },
    services: {
      web: {
        vips: ["10.96.0.1", "fd96::1"],
        // 443 is mapped by members only.
        ports: { 80: 8080, 443: 0, 1: 65535 },
        members: {
          service: { ports: { 1: 0 } },
          own: { ports: { 80: 7070, 1: 0 } },
          // An own mapping to 0 does not fall back to the service's.
          tls: { ports: { 80: 0, 443: 9443, 1: 0 } },
          high: { ports: { 80: 0 } },
        },
      },
    },
  });

  const cases: { port: number; why: string; servers: Record<string, number> }[] = [
    { port: 80, why: "the member's own mapping, else the service's", servers: { service: 1, own: 1 } },
    { port: 443, why: "members that map it, where the service does not", servers: { tls: 1 } },
    { port: 1, why: "up to the highest port", servers: { high: 1 } },
  ];
  for (const { port, why, servers } of cases) {
    it(`port ${port}: ${why}`, async () => {
      for (const kind of kinds) {
        const result = await world().net.hammer({
          kind,
          targets: [vip(kind, port)],
          count: repetitions(400, 100),
        });
        assertSpread(flawless(result).servers, servers);
      }
    });
  }
});
