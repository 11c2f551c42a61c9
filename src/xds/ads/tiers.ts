/**
 * From clusters and their assignments to the tiers of a service port.
 *
 * As Envoy counts: HEALTHY and UNKNOWN endpoints of the nearest priority that has any; DEGRADED ones only when no priority has any of
 * those; all others never. Of an endpoint that is listed twice the first place counts. With locality weights, a locality's share of the
 * tier is weight × min(1, overprovisioning × its share of usable endpoints), divided among its endpoints by their own weights; a
 * locality without a weight gets nothing. Without them only the endpoints' own weights count.
 */

import {
  type AssignedEndpoint,
  type AssignedTiers,
  type Family,
  familyOf,
  parseAddress,
} from "../../mesh/mod.ts";
import type { Assignment, Health, HostPort, LbEndpoint, LocalityEndpoints } from "./model.ts";
import { plus, type Share, share, times, weightsOf } from "./shares.ts";

const families: readonly Family[] = [4, 6];
const states: readonly (readonly Health[])[] = [["HEALTHY", "UNKNOWN"], ["DEGRADED"]];

/** The tiers of one cluster, for callers of each family. */
export type ClusterTiers = Readonly<Record<Family, AssignedTiers>>;

export const noTiers: ClusterTiers = { 4: [], 6: [] };

/** @param localityWeighted localities are chosen by weight first */
export function tiersOfCluster(assignment: Assignment, localityWeighted: boolean): ClusterTiers {
  const localities = withoutTwins(assignment.localities);
  const of = (family: Family) => tiersOfFamily(localities, family, assignment, localityWeighted);
  return { 4: of(4), 6: of(6) };
}

/** The tiers of one cluster, or of several that are chosen by weight. */
export function tiersOfTarget(
  clusters: readonly { readonly tiers: ClusterTiers; readonly weight: number }[],
): AssignedTiers {
  if (clusters.length === 1) {
    const { tiers } = clusters[0];
    const count = Math.max(tiers[4].length, tiers[6].length);
    return Array.from({ length: count }, (_, i) => [...tiers[4][i] ?? [], ...tiers[6][i] ?? []]);
  }
  // Each cluster fails over by itself: of each, the nearest tier is what takes part.
  const mixed = families.flatMap((family) => {
    const nearest = clusters.filter(({ weight, tiers }) => weight > 0 && tiers[family].length > 0);
    return merge(nearest.flatMap(({ tiers, weight }) => {
      const [tier] = tiers[family];
      const total = tier.reduce((sum, endpoint) => sum + endpoint.weight, 0);
      return tier.map((endpoint) => ({ ...endpoint, share: share(weight * endpoint.weight, total) }));
    }));
  });
  return mixed.length === 0 ? [] : [mixed];
}

function withoutTwins(localities: readonly LocalityEndpoints[]): LocalityEndpoints[] {
  const seen = new Set<string>();
  return localities.toSorted((a, b) => a.priority - b.priority).map((locality) => ({
    ...locality,
    endpoints: locality.endpoints.filter(({ host, port }) => {
      const key = `${host}|${port}`;
      return !seen.has(key) && seen.add(key);
    }),
  }));
}

function tiersOfFamily(
  localities: readonly LocalityEndpoints[],
  family: Family,
  { overprovisioning }: Assignment,
  localityWeighted: boolean,
): AssignedTiers {
  const priorities = [...new Set(localities.map(({ priority }) => priority))];
  const seen = new Set<string>();
  const tiers = states.flatMap((wanted) =>
    priorities.map((priority) => {
      const here = localities.filter((locality) => locality.priority === priority);
      const byLocality = localityWeighted && here.some(({ weight }) => weight > 0);
      return here.flatMap(({ endpoints, weight }) => {
        const usable = endpoints.filter(({ health }) => wanted.includes(health));
        const dialled = usable.flatMap((endpoint) => dial(endpoint, family, seen));
        if (!byLocality) return dialled;
        const total = dialled.reduce((sum, endpoint) => sum + endpoint.weight, 0);
        const available = Math.min(100 * endpoints.length, overprovisioning * usable.length);
        const part = times(share(weight, 1), share(available, 100 * endpoints.length));
        return weight === 0
          ? []
          : dialled.map((endpoint) => ({ ...endpoint, share: times(part, share(endpoint.weight, total)) }));
      });
    })
  );
  return tiers.filter((tier) => tier.length > 0).map((tier) =>
    tier.every((endpoint): endpoint is Shared => "share" in endpoint) ? merge(tier) : inOrder(tier)
  );
}

/** Where callers of one family reach an endpoint: at most one address, and none that was given before. */
function dial(endpoint: LbEndpoint, family: Family, seen: Set<string>): AssignedEndpoint[] {
  for (const { host, port } of [endpoint as HostPort, ...endpoint.additional]) {
    const address = parseAddress(host);
    if (address === undefined || port === 0 || familyOf(address) !== family) continue;
    const key = `${address}|${port}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ address, port, weight: endpoint.weight }];
  }
  return [];
}

interface Shared extends AssignedEndpoint {
  readonly share: Share;
}

/** One entry for each endpoint, with the sum of its shares as weight. */
function merge(endpoints: readonly Shared[]): AssignedEndpoint[] {
  const merged = new Map<string, Shared>();
  for (const endpoint of endpoints) {
    const key = `${endpoint.address}|${endpoint.port}`;
    const other = merged.get(key);
    merged.set(key, other === undefined ? endpoint : { ...other, share: plus(other.share, endpoint.share) });
  }
  const all = [...merged.values()];
  const weights = weightsOf(all.map((one) => one.share));
  return inOrder(all.map(({ address, port }, i) => ({ address, port, weight: weights[i] })));
}

/** In an order that does not depend on that of the response, which is never the same twice. */
function inOrder(tier: readonly AssignedEndpoint[]): AssignedEndpoint[] {
  return tier.toSorted((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port);
}
