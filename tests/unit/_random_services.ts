/** Random services as the compiler would make them, and random changes to them, such as planners get wrong. */

import {
  type DesiredEndpoint,
  type DesiredFrontend,
  type DesiredService,
  type DesiredServicePort,
  type DesiredTier,
  endpointKey,
  type RankedEndpoint,
  type ServiceEdit,
  type ServiceTarget,
} from "../../src/dataplane/mod.ts";
import { type Choice, type Family, randomChoice, type ServiceKey } from "../../src/mesh/mod.ts";
import { type Answer, type Destination, placeOf } from "./_kernel_reader.ts";

/** A member of a service: it has an address of each family, and maps each port to itself. */
interface Member {
  readonly uid: string;
  readonly number: number;
  readonly weight: number;
  /** Higher is nearer. */
  readonly rank: number;
}

/** What there is to know of one service. */
interface Draft {
  readonly vips: readonly string[];
  readonly ports: readonly number[];
  readonly left: boolean;
  /** Maps its ports though nobody may be used. */
  readonly mapped: boolean;
  readonly members: readonly Member[];
  readonly choice: Choice;
}

/** All services at one time. */
export type World = ReadonlyMap<ServiceKey, Draft>;

const keys: readonly ServiceKey[] = ["shop/a", "shop/b", "shop/c", "shop/d"];
const vips = ["10.96.0.1", "10.96.0.2", "10.96.0.3", "fd96::1", "fd96::2"];
const ports = [80, 443];
const unlistedPort = 9;

/** Every destination of which something can be said, and some others. */
export const destinations: readonly Destination[] = vips.flatMap((address) =>
  [...ports, unlistedPort].flatMap((port) =>
    [{ address, port, protocol: 6 }, { address, port, protocol: 17 }] as const
  )
);

export const emptyWorld: World = new Map();

function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

function endpointsOf({ members }: Pick<Draft, "members">, family: Family, port: number): DesiredEndpoint[] {
  return members.map(({ uid, number, weight }) => {
    const address = family === 4
      ? `10.0.${number >> 8}.${number & 0xff}`
      : `fd00::${(number + 1).toString(16)}`;
    return { uid, address, port: port + 8000, weight };
  });
}

/** The nearest first. */
function tiersOf({ members }: Draft, family: Family, port: number): DesiredTier[] {
  const byRank = Map.groupBy(members, ({ rank }) => rank);
  return [...byRank].sort(([a], [b]) => b - a).map(([rank, members]) => ({
    rank,
    endpoints: endpointsOf({ members }, family, port),
    portless: 0,
  }));
}

/** What the compiler makes of a service. */
export function desiredService(key: ServiceKey, draft: Draft): DesiredService {
  const { vips, left, mapped } = draft;
  const ports = left ? [] : draft.ports;
  const servicePortKey = (port: number, family: Family) => `${key}|${port}|${family}`;
  const servicePorts = [...new Set(vips.map(familyOf))].flatMap((family) =>
    ports.map((port): DesiredServicePort => {
      const tiers = tiersOf(draft, family, port);
      return {
        key: servicePortKey(port, family),
        service: key,
        port,
        family,
        mapped: Number(mapped) + draft.members.length,
        tiers,
        choice: draft.choice,
        connectionLimit: null,
      };
    })
  );
  const frontends = vips.flatMap((address): DesiredFrontend[] => [
    { address, port: 0, protocol: 0, target: { kind: left ? "leave" : "unlisted" } },
    ...ports.flatMap((port) =>
      ([6, 17] as const).map((protocol): DesiredFrontend => ({
        address,
        port,
        protocol,
        target: { kind: "servicePort", key: servicePortKey(port, familyOf(address)) },
      }))
    ),
  ]);
  return { service: key, servicePorts, frontends, excluded: [], left: left ? "needs waypoint" : null };
}

function isSameBut(a: Draft, b: Draft): boolean {
  const fixed = ({ vips, ports, left, choice }: Draft) => JSON.stringify([vips, ports, left, choice]);
  return fixed(a) === fixed(b) && !a.left;
}

/** What the compiler makes of changed members. */
function serviceEdit(key: ServiceKey, before: Draft, after: Draft): ServiceEdit {
  const old = desiredService(key, before).servicePorts;
  const ranked = (port: DesiredServicePort) =>
    port.tiers.flatMap(({ rank, endpoints }) => endpoints.map((endpoint) => ({ rank, endpoint })));
  const missing = (some: RankedEndpoint[], others: RankedEndpoint[]) =>
    some.filter(({ rank, endpoint: one }) =>
      !others.some((other) =>
        other.rank === rank && endpointKey(other.endpoint!) === endpointKey(one!) &&
        other.endpoint!.weight === one!.weight
      )
    );
  const edits = desiredService(key, after).servicePorts.map((port, i) => {
    const [was, is] = [ranked(old[i]), ranked(port)];
    const mapped = port.mapped - old[i].mapped;
    return { key: port.key, mapped, removed: missing(was, is), added: missing(is, was) };
  });
  return {
    edits,
    whole: function* () {
      yield;
      return desiredService(key, after);
    },
  };
}

/** The services that differ, as a flush gets them: whole, or where only members differ sometimes as an edit; in any order. */
export function changesBetween(
  random: () => number,
  before: World,
  after: World,
): [ServiceKey, ServiceTarget][] {
  const all = [...new Set([...before.keys(), ...after.keys()])];
  return all.filter((key) => before.get(key) !== after.get(key))
    .map((key) => ({ key, place: random() })).sort((a, b) => a.place - b.place)
    .map(({ key }) => {
      const [old, now] = [before.get(key), after.get(key)];
      if (now === undefined) return [key, undefined];
      const isEdit = old !== undefined && isSameBut(old, now) && random() < 0.7;
      return [key, isEdit ? serviceEdit(key, old, now) : desiredService(key, now)];
    });
}

/** The service that has a VIP. */
export function ownerKeyOf(world: World, address: string): ServiceKey | undefined {
  return [...world.keys()].find((key) => world.get(key)!.vips.includes(address));
}

function ownerOf(world: World, address: string): Draft | undefined {
  return [...world.values()].find((draft) => draft.vips.includes(address));
}

/** What a connection should find. */
export function wantedAnswer(world: World, { address, port, protocol }: Destination): Answer {
  const owner = ownerOf(world, address);
  if (!owner || owner.left) return { kind: "leave" };
  const udp = protocol === 17;
  if (!owner.ports.includes(port)) return { kind: udp ? "leave" : "refuse" };
  const nearest = tiersOf(owner, familyOf(address), port)[0]?.endpoints ?? [];
  const usable = nearest.filter(({ weight }) => weight > 0);
  if (usable.length === 0) {
    return { kind: udp && !owner.mapped && owner.members.length === 0 ? "leave" : "refuse" };
  }
  return { kind: "balance", places: new Set(usable.map((one) => placeOf(one.address, one.port))) };
}

/**
 * What a connection may find besides that read its tier some time ago: whatever has become of that tier, it is some tier of the
 * service.
 */
export function tierAnswer(world: World, to: Destination): Answer {
  const places = wantedAnswer(world, to).kind === "balance" ? wantedEndpoints(world, to, "all").keys() : [];
  return { kind: "balance", places: new Set(places) };
}

/** Place → the usable endpoints there, of a destination that is balanced. @param tiers the nearest, or all */
export function wantedEndpoints(
  world: World,
  { address, port }: Destination,
  tiers: "nearest" | "all" = "nearest",
): ReadonlyMap<string, readonly DesiredEndpoint[]> {
  const all = tiersOf(ownerOf(world, address)!, familyOf(address), port);
  const endpoints = (tiers === "all" ? all : all.slice(0, 1)).flatMap(({ endpoints }) => endpoints);
  return Map.groupBy(
    endpoints.filter(({ weight }) => weight > 0),
    (one) => placeOf(one.address, one.port),
  );
}

/** How many service ports, endpoints of theirs, tiers and frontends the kernel must hold: no more, and no less. */
export function wantedCounts(world: World): {
  servicePorts: number;
  endpoints: number;
  records: number;
  frontends: number;
} {
  const services = [...world].map(([key, draft]) => desiredService(key, draft));
  const servicePorts = services.flatMap((service) => service.servicePorts);
  const usable = servicePorts.flatMap(({ tiers }) =>
    tiers.map(({ endpoints }) => endpoints.filter(({ weight }) => weight > 0).length)
  );
  return {
    servicePorts: servicePorts.length,
    endpoints: usable.reduce((sum, count) => sum + count, 0),
    records: usable.filter((count) => count > 0).length,
    frontends: services.reduce((sum, service) => sum + service.frontends.length, 0),
  };
}

type Random = () => number;

const below = (random: Random, limit: number) => Math.floor(random() * limit);
const oneOf = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)];

/** Some have an address that others have too: workloads on a host's network. */
function newMembers(random: Random, count: number, weight: () => number): Member[] {
  return Array.from({ length: count }, () => ({
    uid: `w${below(random, 100_000)}`,
    number: below(random, random() < 0.15 ? 6 : 600),
    weight: weight(),
    rank: oneOf(random, [0, 1, 2, 2, 2]),
  }));
}

function without<T>(values: readonly T[], removed: T): T[] {
  return values.filter((value) => value !== removed);
}

/** A ring of few points: each is a word that is written. Everybody is on it. */
const choices: readonly Choice[] = [
  randomChoice,
  { kind: "roundRobin" },
  { kind: "leastRequest", choices: 2 },
  { kind: "ringHash", minimumSize: 4, maximumSize: 8_388_608 },
];

/** One change to one draft. */
const edits: ((random: Random, draft: Draft) => Partial<Draft>)[] = [
  (random, { members }) => ({ members: [...members, ...newMembers(random, 1, () => 1)] }),
  (random, { members }) => ({ members: without(members, oneOf(random, members)) }),
  (random, { members }) => ({ members: [...members].reverse().slice(0, below(random, members.length + 1)) }),
  // Some go, some come, some stay.
  (random, { members }) => ({
    members: [...members.filter(() => random() < 0.6), ...newMembers(random, below(random, 4), () => 1)],
  }),
  // More than is edited in place; then back.
  (random, { members }) => ({
    members: [...members, ...newMembers(random, 17 + below(random, 24), () => 1)],
  }),
  (_, { members }) => ({ members: members.slice(0, 2) }),
  () => ({ members: [] }),
  // Other weights: unequal, then equal again.
  (random, { members }) => ({ members: members.map((one) => ({ ...one, weight: 1 + below(random, 5) })) }),
  (_, { members }) => ({ members: members.map((one) => ({ ...one, weight: 1 })) }),
  (random, { members }) => ({
    members: members.map((one) => random() < 0.3 ? { ...one, weight: 0 } : one),
  }),
  (_, { members }) => ({ members: members.map((one) => ({ ...one, weight: 0 })) }),
  // The node's place changes, or some workloads': all tiers of a service are other ones, or some come nearer.
  (_, { members }) => ({ members: members.map((one) => ({ ...one, rank: 2 - one.rank })) }),
  (random, { members }) => ({ members: members.map((one) => ({ ...one, rank: below(random, 3) })) }),
  (random, { members }) => ({
    members: members.map((one) => random() < 0.2 ? { ...one, rank: below(random, 3) } : one),
  }),
  // Nobody near is left; somebody comes near, and of the others some go.
  (_, { members }) => ({ members: members.filter(({ rank }) => rank < 2) }),
  (random, { members }) => ({
    members: [
      ...members.filter(() => random() < 0.7).map((one) => ({ ...one, rank: Math.min(one.rank, 1) })),
      ...newMembers(random, 3, () => 1),
    ],
  }),
  (_, { left }) => ({ left: !left }),
  (_, { mapped }) => ({ mapped: !mapped }),
  (random) => ({ choice: oneOf(random, choices) }),
  (random, draft) => {
    const port = oneOf(random, ports);
    return { ports: draft.ports.includes(port) ? without(draft.ports, port) : [...draft.ports, port] };
  },
  (random, draft) => ({ vips: without(draft.vips, oneOf(random, draft.vips)) }),
];

/** One change that concerns several services. */
const moves: ((random: Random, world: Map<ServiceKey, Draft>) => void)[] = [
  // A service comes, or goes.
  (random, world) => {
    const key = oneOf(random, keys);
    if (world.delete(key)) return;
    world.set(key, {
      vips: vips.filter((vip) => !ownerOf(world, vip) && random() < 0.5),
      ports: ports.filter(() => random() < 0.8),
      left: random() < 0.1,
      mapped: random() < 0.5,
      members: newMembers(random, below(random, 6), () => 1),
      choice: oneOf(random, choices),
    });
  },
  // A VIP comes to a service, from another one or from nowhere.
  (random, world) => {
    const vip = oneOf(random, vips);
    const [to] = oneOf(random, [...world, ["", undefined] as const]);
    for (const [key, draft] of world) {
      if (draft.vips.includes(vip) !== (key === to)) {
        world.set(key, { ...draft, vips: key === to ? [...draft.vips, vip] : without(draft.vips, vip) });
      }
    }
  },
  // Two services change their VIPs, or their members, or both.
  (random, world) => {
    if (world.size < 2) return;
    const [one, other] = [oneOf(random, [...world.keys()]), oneOf(random, [...world.keys()])];
    const [a, b] = [world.get(one)!, world.get(other)!];
    const [swapVips, swapMembers] = [random() < 0.6, random() < 0.6];
    const mixed = (mine: Draft, its: Draft): Draft => ({
      ...mine,
      vips: swapVips ? its.vips : mine.vips,
      members: swapMembers ? its.members : mine.members,
    });
    world.set(one, mixed(a, b));
    if (one !== other) world.set(other, mixed(b, a));
  },
  // All that a service has goes to another one: a new name for it.
  (random, world) => {
    if (world.size < 2) return;
    const [from, to] = [oneOf(random, [...world.keys()]), oneOf(random, [...world.keys()])];
    if (from === to) return;
    const [a, b] = [world.get(from)!, world.get(to)!];
    world.set(to, { ...b, vips: [...b.vips, ...a.vips], members: [...b.members, ...a.members] });
    world.set(from, { ...a, vips: [], members: [] });
  },
];

/** The world after a few random changes. */
export function changedWorld(random: Random, before: World): World {
  const world = new Map(before);
  for (let count = 1 + below(random, 4); count > 0; count--) {
    if (world.size === 0 || random() < 0.35) {
      oneOf(random, moves)(random, world);
    } else {
      const key = oneOf(random, [...world.keys()]);
      const draft = world.get(key)!;
      world.set(key, { ...draft, ...oneOf(random, edits)(random, draft) });
    }
  }
  return world;
}
