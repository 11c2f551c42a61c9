/** The addresses of the host names that clusters have for endpoints, looked up again and again while somebody asks for them. */

/** How often a name is looked up, as Envoy does unless told otherwise. */
const everyMs = 5000;

export interface Names {
  /** @returns what is known, the same array as long as it is the same; `undefined` before the first answer */
  addressesOf(host: string): readonly string[] | undefined;
  /** Grows whenever a name's addresses are others than before. */
  readonly changes: number;
  /** Begins to look up what is due. It waits for nothing. */
  refresh(now: Date): void;
  /** Forgets all but these names. */
  keepOnly(hosts: ReadonlySet<string>): void;
}

interface Known {
  addresses: readonly string[] | undefined;
  /** When it was last begun to be looked up, in milliseconds. */
  asked: number;
  busy: boolean;
}

/**
 * @param lookUp gives a name's addresses, none where there is no such name; it fails where that cannot be told now, and then what was
 * known stays
 */
export function createNames(lookUp: (host: string) => Promise<readonly string[]>): Names {
  const names = new Map<string, Known>();
  let changes = 0;
  const lookUpNow = async (host: string, known: Known) => {
    known.busy = true;
    try {
      const addresses = [...new Set(await lookUp(host))].sort();
      if (known.addresses?.join() === addresses.join()) return;
      known.addresses = addresses;
      changes++;
    } catch {
      // Asked again when it is due.
    } finally {
      known.busy = false;
    }
  };
  return {
    addressesOf: (host) => {
      if (!names.has(host)) names.set(host, { addresses: undefined, asked: -Infinity, busy: false });
      return names.get(host)!.addresses;
    },
    get changes() {
      return changes;
    },
    refresh: (now) => {
      for (const [host, known] of names) {
        if (known.busy || now.getTime() - known.asked < everyMs) continue;
        known.asked = now.getTime();
        lookUpNow(host, known);
      }
    },
    keepOnly: (hosts) => {
      for (const host of [...names.keys()]) if (!hosts.has(host)) names.delete(host);
    },
  };
}
