/**
 * Generates ffi/generated/workload.ts from the BTF of the compiled object: a codec for each struct that a map or the ring
 * buffer holds, the enums, and the maps with a hash of their layouts.
 *
 *     deno run -A scripts/codegen.ts           writes the file
 *     deno run -A scripts/codegen.ts --check   fails where the file is not what would be written
 */

import { type BtfType, readBtf } from "./btf.ts";

const root = new URL("..", import.meta.url).pathname;
const objectFile = `${root}build/workload.bpf.o`;
const generatedFile = `${root}ffi/generated/workload.ts`;

/** Maps whose layout has a version of its own: per-socket state outlives the generations of all others. */
const socketMaps = [
  "socket_buckets",
  "socket_peers",
  "flows",
  "connection_limits",
  "active_connections",
  "exempt_sockets",
];

/** Structs that are bytes, a template, or the programs' own. */
const withoutCodec = ["address", "record", "route"];

type Types = ReadonlyMap<number, BtfType>;

function get(types: Types, id: number | undefined): BtfType {
  const type = id === undefined ? undefined : types.get(id);
  if (!type) throw new Error(`BTF names type ${id}, which is not there`);
  return type;
}

/** Follows typedefs and qualifiers; `names` are the typedefs passed. */
function resolve(types: Types, id: number | undefined): { type: BtfType; names: string[] } {
  const names: string[] = [];
  let type = get(types, id);
  while (["TYPEDEF", "CONST", "VOLATILE"].includes(type.kind)) {
    if (type.kind === "TYPEDEF") names.push(type.name);
    type = get(types, type.type_id);
  }
  return { type, names };
}

/** In bytes. */
function sizeOf(types: Types, id: number | undefined): number {
  const { type } = resolve(types, id);
  return type.kind === "ARRAY" ? (type.nr_elems ?? 0) * sizeOf(types, type.type_id) : type.size ?? 0;
}

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const pascal = (name: string) => camel(`_${name}`);

/** How one field is written in TypeScript. `at` is an expression of its offset. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly doc: string;
  readonly read: string;
  readonly write: (value: string) => string;
}

function fieldOf(types: Types, structName: string, member: NonNullable<BtfType["members"]>[number]): Field {
  const { type, names } = resolve(types, member.type_id);
  const at = `at + ${member.bits_offset / 8}`;
  const name = camel(member.name);
  const bigEndian = names.some((typedef) => typedef.startsWith("__be"));
  const order = bigEndian ? "false" : "true";
  const size = type.size ?? 0;
  const where = JSON.stringify(`${structName}.${member.name}`);
  if (type.kind === "INT") {
    if (size === 1) {
      return {
        name,
        type: "number",
        doc: "8 bits.",
        read: `view.getUint8(${at})`,
        write: (v) => `view.setUint8(${at}, fit(${v}, 8, ${where}))`,
      };
    }
    const fitting = (v: string) =>
      size === 8 ? `fitWord(${v}, ${where})` : `fit(${v}, ${size * 8}, ${where})`;
    const [method, tsType] = size === 8 ? ["BigUint64", "bigint"] : [`Uint${size * 8}`, "number"];
    return {
      name,
      type: tsType,
      doc: bigEndian
        ? `${size * 8} bits; network order in the kernel, host order here.`
        : `${size * 8} bits.`,
      read: `view.get${method}(${at}, ${order})`,
      write: (v) => `view.set${method}(${at}, ${fitting(v)}, ${order})`,
    };
  }
  if (type.kind === "STRUCT" && type.name === "address") {
    return {
      name,
      type: "Uint8Array",
      doc: "16 bytes in network order, IPv4 as IPv4-mapped.",
      read: `readBytes(view, ${at}, 16)`,
      write: (v) => `writeBytes(view, ${at}, 16, ${v}, ${where})`,
    };
  }
  if (type.kind === "STRUCT") {
    return {
      name,
      type: pascal(type.name),
      doc: "",
      read: `${camel(type.name)}.read(view, ${at})`,
      write: (v) => `${camel(type.name)}.write(view, ${at}, ${v})`,
    };
  }
  if (type.kind === "ARRAY" && resolve(types, type.type_id).type.size === 1) {
    return {
      name,
      type: "Uint8Array",
      doc: `${type.nr_elems} bytes.`,
      read: `readBytes(view, ${at}, ${type.nr_elems})`,
      write: (v) => `writeBytes(view, ${at}, ${type.nr_elems}, ${v}, ${where})`,
    };
  }
  if (type.kind === "ARRAY" && resolve(types, type.type_id).type.size === 8) {
    return {
      name,
      type: "readonly bigint[]",
      doc: `${type.nr_elems} numbers of 64 bits.`,
      read: `readWords(view, ${at}, ${type.nr_elems})`,
      write: (v) => `writeWords(view, ${at}, ${type.nr_elems}, ${v}, ${where})`,
    };
  }
  throw new Error(`struct ${structName}: no codec for field ${member.name} of kind ${type.kind}`);
}

function structCode(types: Types, struct: BtfType): string {
  const members = struct.members ?? [];
  const covered = members.reduce((sum, member) => sum + sizeOf(types, member.type_id), 0);
  if (covered !== struct.size) {
    throw new Error(
      `struct ${struct.name}: ${struct.size} bytes with only ${covered} named; name the padding`,
    );
  }
  const isZero = ({ name }: typeof members[number]) => /^zero\d*$/.test(name);
  const fields = members.filter((member) => !isZero(member)).map((member) =>
    fieldOf(types, struct.name, member)
  );
  const zeros = members.filter(isZero).map((member) =>
    `    writeZeros(view, at + ${member.bits_offset / 8}, ${sizeOf(types, member.type_id)});`
  );
  const type = pascal(struct.name);
  return [
    `/** \`struct ${struct.name}\`, ${struct.size} bytes. */`,
    `export interface ${type} {`,
    ...fields.flatMap((f) => [...(f.doc ? [`  /** ${f.doc} */`] : []), `  readonly ${f.name}: ${f.type};`]),
    `}`,
    ``,
    `export const ${camel(struct.name)}: Codec<${type}> = {`,
    `  size: ${struct.size},`,
    `  read: (view, at) => ({`,
    ...fields.map((f) => `    ${f.name}: ${f.read},`),
    `  }),`,
    `  write: (view, at, value) => {`,
    ...fields.map((f) => `    ${f.write(`value.${f.name}`)};`),
    ...zeros,
    `  },`,
    `};`,
  ].join("\n");
}

function enumCode(type: BtfType): string {
  const values = (type.values ?? []).map(({ name, val }) =>
    [name, Number(BigInt.asUintN(32, BigInt(val)))] as const
  );
  return [
    `/** \`enum ${type.name}\` */`,
    `export const ${camel(type.name)} = {`,
    ...values.map(([name, value]) => `  ${name}: ${value},`),
    `} as const;`,
  ].join("\n");
}

/** The layout of a type as text: what has to stay the same for old and new programs to share a map. */
function layout(types: Types, id: number): string {
  const { type } = resolve(types, id);
  if (type.kind === "STRUCT") {
    const members = (type.members ?? []).map((m) => `${m.name}@${m.bits_offset}:${layout(types, m.type_id)}`);
    return `${type.name}(${type.size}){${members.join(",")}}`;
  }
  if (type.kind === "ARRAY") return `[${type.nr_elems}]${layout(types, type.type_id!)}`;
  return `${type.kind}${type.size ?? ""}`;
}

interface MapDefinition {
  readonly name: string;
  readonly type: number;
  readonly layout: string;
}

/** The maps that the object defines in its `.maps` section (libbpf's BTF-defined maps). */
function mapDefinitions(types: Types): MapDefinition[] {
  const section = [...types.values()].find((type) => type.kind === "DATASEC" && type.name === ".maps");
  return (section?.vars ?? []).map(({ type_id }) => {
    const variable = get(types, type_id);
    const members = get(types, variable.type_id).members ?? [];
    const pointee = (name: string) => {
      const member = members.find((m) => m.name === name);
      return member && get(types, member.type_id).type_id;
    };
    const number = (name: string) => get(types, pointee(name)).nr_elems ?? 0;
    const shape = (name: string) => {
      const id = pointee(name);
      return id === undefined ? "" : layout(types, id);
    };
    const text = `${variable.name}:${number("type")}:${shape("key")}:${shape("value")}`;
    return { name: variable.name, type: number("type"), layout: text };
  });
}

/** A short hash (hex) of everything that the layouts say. */
async function hash(layouts: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(layouts.join("\n")));
  return [...new Uint8Array(digest)].slice(0, 6).map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function generate(): Promise<string> {
  const types = readBtf(objectFile);
  const all = [...types.values()];
  const structs = all.filter((type) =>
    type.kind === "STRUCT" && type.name !== "(anon)" && !withoutCodec.includes(type.name) &&
    !type.name.startsWith("bpf_")
  );
  const enums = all.filter((type) =>
    type.kind === "ENUM" && type.name !== "(anon)" && !type.name.startsWith("bpf_")
  );
  const maps = mapDefinitions(types);
  const isSocketMap = (map: MapDefinition) => socketMaps.includes(map.name);
  // A record's layout is not in its map's definition: the inner map is a template.
  const record = layout(types, structs.find((type) => type.name === "record_entry")!.id);
  const schema = await hash([...maps.filter((map) => !isSocketMap(map)).map((map) => map.layout), record]);
  const socketSchema = await hash(maps.filter(isSocketMap).map((map) => map.layout));
  const names = (wanted: (map: MapDefinition) => boolean) =>
    maps.filter(wanted).map((map) => `  ${JSON.stringify(map.name)},`).join("\n");
  return `// Generated by scripts/codegen.ts from the BTF of bpf/workload.bpf.c. Do not edit.
// deno-fmt-ignore-file

import { type Codec, fit, fitWord, readBytes, readWords, writeBytes, writeWords, writeZeros } from "../codec.ts";

/** Hash of the layouts of all maps but the sockets': the \`v<schema>\` of the pin directory. */
export const schema = "${schema}";

/** Hash of the layouts of the per-socket maps, which outlive the generations of the others. */
export const socketSchema = "${socketSchema}";

/** The maps of one generation. */
export const meshMaps = [
${names((map) => !isSocketMap(map))}
] as const;

/** The maps of per-socket state. */
export const socketMaps = [
${names(isSocketMap)}
] as const;

/** Kernel map types (enum bpf_map_type), by map. */
export const mapTypes = {
${maps.map((map) => `  ${map.name}: ${map.type},`).join("\n")}
} as const;

${structs.map((type) => structCode(types, type)).join("\n\n")}

${enums.map(enumCode).join("\n\n")}
`;
}

if (import.meta.main) {
  const text = await generate();
  const current = await Deno.readTextFile(generatedFile).catch(() => "");
  if (Deno.args.includes("--check")) {
    if (text !== current) {
      console.error("ffi/generated/workload.ts is stale: run `deno task build` and commit the result.");
      Deno.exit(1);
    }
  } else if (text !== current) {
    await Deno.writeTextFile(generatedFile, text);
    console.log("codegen: wrote ffi/generated/workload.ts");
  }
}
