/** Reads an object's BTF as bpftool prints it. */

/** One type as `bpftool btf dump -j` gives it; fields beyond the kind's own are absent. */
export interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly encoding?: string;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly {
    readonly name: string;
    readonly type_id: number;
    readonly bits_offset: number;
  }[];
  readonly vars?: readonly { readonly type_id: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

/** All types of a compiled BPF object, by id. */
export function readBtf(objectFile: string): ReadonlyMap<number, BtfType> {
  const { code, stdout, stderr } = new Deno.Command("bpftool", {
    args: ["-j", "btf", "dump", "file", objectFile],
    env: { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin` },
  }).outputSync();
  if (code !== 0) {
    throw new Error(`bpftool cannot read the BTF of ${objectFile}: ${new TextDecoder().decode(stderr)}`);
  }
  const { types } = JSON.parse(new TextDecoder().decode(stdout)) as { types: BtfType[] };
  return new Map(types.map((type) => [type.id, type]));
}
