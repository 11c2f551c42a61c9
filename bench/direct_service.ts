/** Services as the planner gets them, for what no mesh file says. */

import type { DesiredEndpoint, DesiredService, DesiredTier } from "../src/dataplane/mod.ts";
import { type Choice, randomChoice } from "../src/mesh/mod.ts";
import { addressOf, servicePort, targetPort } from "./mesh.ts";

/** A service with one VIP and one port. */
export function directService(
  name: string,
  vip: string,
  tiers: readonly DesiredTier[],
  choice: Choice = randomChoice,
): DesiredService {
  const service = `bench/${name}`;
  const key = `${service}|${servicePort}|4`;
  const target = { kind: "servicePort", key } as const;
  return {
    service,
    servicePorts: [{
      key,
      service,
      port: servicePort,
      family: 4,
      mapped: tiers.reduce((sum, { endpoints }) => sum + endpoints.length, 0),
      tiers,
      choice,
      connectionLimit: null,
    }],
    frontends: [
      { address: vip, port: 0, protocol: 0, target: { kind: "unlisted" } },
      { address: vip, port: servicePort, protocol: 6, target },
      { address: vip, port: servicePort, protocol: 17, target },
    ],
    excluded: [],
    left: null,
  };
}

/** A tier of endpoints of these weights. @param first of the addresses */
export function directTier(rank: number, first: number, weights: readonly number[]): DesiredTier {
  const endpoints = weights.map((weight, i): DesiredEndpoint => {
    const address = addressOf(first + i);
    return { uid: address, address, port: targetPort, weight };
  });
  return { rank, endpoints, portless: 0 };
}
