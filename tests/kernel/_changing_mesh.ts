/** Services whose endpoint counts change, and whose endpoints tell by their names whose they are. */

import assert from "node:assert/strict";
import { type AddressPort, at, type HammerResult, members, type Services } from "../kit/mod.ts";

const perTeam = 20;
const teams = ["x", "y"] as const;

/** Two teams of servers; a service has endpoints of one team only. */
export const teamServers: Readonly<Record<string, readonly number[]>> = Object.fromEntries(
  teams.flatMap((team) => Array.from({ length: perTeam }, (_, i) => [`${team}${i}`, [8080]])),
);

export const vipOf = (service: number) => `10.96.${service >> 8}.${service & 255}`;
export const targetOf = (service: number): AddressPort => at(vipOf(service), 80);

/** The names of a service's endpoints. */
export type Membership = readonly (readonly string[])[];

/**
 * Who is in which service: of its team, `length` servers from `first` on.
 *
 * @param ranges one a service; services take turns with the teams
 */
export function membership(
  ranges: readonly { readonly first: number; readonly length: number }[],
): Membership {
  return ranges.map(({ first, length }, service) =>
    Array.from({ length }, (_, i) => `${teams[service % teams.length]}${(first + i) % perTeam}`)
  );
}

/** The mesh that says so. */
export function meshOf(names: Membership): Services {
  return Object.fromEntries(
    names.map((of, service) => [`s${service}`, { vips: [vipOf(service)], members: members(...of) }]),
  );
}

/** Asserts that whoever answered was one of those that the service had at some time. */
export function assertOwn({ answers }: HammerResult, ...possible: readonly Membership[]): void {
  for (const { target, server } of answers) {
    const service = possible[0].findIndex((_, service) => targetOf(service) === target);
    assert.ok(
      possible.some((names) => names[service].includes(server)),
      `service ${service} was answered by ${server}`,
    );
  }
}

/** Asserts that whoever answered is of the service's team. */
export function assertTeam({ answers }: HammerResult): void {
  for (const { target, server } of answers) {
    const service = Number(/\.(\d+):80$/.exec(target)![1]);
    assert.equal(server[0], teams[service % teams.length], `${target} was answered by ${server}`);
  }
}
