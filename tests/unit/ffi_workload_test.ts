import { after, before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { type Codec, workload } from "../../ffi/mod.ts";
import { compileC, type CProgram, haveCommands } from "./_c_program.ts";
import { randomFrom } from "./_random.ts";

/** A struct's fields as `print_structs` prints them and as text made of a codec's value: they can be compared. */
interface Fields {
  readonly [name: string]: string | readonly string[] | Fields;
}

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function isCodec(value: unknown): value is Codec<unknown> {
  return typeof value === "object" && value !== null && "size" in value && "write" in value;
}

function isEnum(value: unknown): value is Readonly<Record<string, number>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.keys(value).every((name) => name === name.toUpperCase());
}

const exports: readonly [string, unknown][] = Object.entries(workload);

const codecs = new Map(
  exports.flatMap(([name, value]) => isCodec(value) ? [[name, value] as const] : []),
);

/** What C reads in so many structs of a kind; the names of fields are TypeScript's. */
async function readByC(printer: CProgram, struct: string, bytes: Uint8Array<ArrayBuffer>): Promise<Fields[]> {
  const lines = await printer.run([struct], bytes);
  return lines.map((line) =>
    JSON.parse(
      line,
      (_, value) =>
        typeof value !== "object" || Array.isArray(value)
          ? value
          : Object.fromEntries(Object.entries(value).map(([name, field]) => [camel(name), field])),
    )
  );
}

/** A value in the form in which C prints it. */
function textOf(value: unknown): string | string[] | Fields {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) {
    return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  if (Array.isArray(value)) return value.map(String);
  assert.ok(typeof value === "object" && value !== null);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, textOf(field)]));
}

const isZeroField = (name: string) => /^zero\d*$/.test(name);

/** Without the fields that are always 0: a codec's value does not have them. */
function named(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => !isZeroField(name)).map(([name, value]) =>
      [name, isStruct(value) ? named(value) : value] as const
    ),
  );
}

function zerosOf(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    isStruct(value) ? zerosOf(value) : isZeroField(name) ? [String(value)] : []
  );
}

function isStruct(value: Fields[string]): value is Fields {
  return typeof value === "object" && !Array.isArray(value);
}

const rounds = 200;

/** So many structs of random bytes, behind one of zeros and one of ones. */
function randomStructs(size: number, random: () => number): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from({ length: rounds * size }, () => Math.floor(random() * 256));
  return bytes.fill(0, 0, size).fill(0xff, size, 2 * size);
}

describe(
  "the generated codecs and C",
  { ignore: !haveCommands("the codecs are not held against C", ["gcc"]) },
  () => {
    let printer: CProgram;
    let said: string[][];
    before(async () => {
      printer = await compileC("print_structs");
      said = (await printer.run()).map((line) => line.split(" "));
    });
    after(() => printer?.[Symbol.dispose]());

    it("know the same structs with the same sizes", () => {
      const inC = said.filter(([kind]) => kind === "struct").map(([, name, size]) => [camel(name), size]);
      const generated = [...codecs].map(([name, { size }]) => [name, String(size)]);
      assert.deepEqual(new Map(generated as [string, string][]), new Map(inC as [string, string][]));
    });

    it("know the same enums with the same values", () => {
      const inC = said.filter(([kind]) => kind === "enum").map(([, of, name, value]) =>
        `${camel(of)}.${name} ${value}`
      );
      const generated = exports.flatMap(([of, values]) =>
        isEnum(values) ? Object.entries(values).map(([name, value]) => `${of}.${name} ${value}`) : []
      );
      assert.deepEqual(generated.sort(), inC.sort());
    });

    for (const [name, codec] of codecs) {
      const struct = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

      it(`read ${struct} as C does`, async () => {
        const bytes = randomStructs(codec.size, randomFrom(codec.size));
        const inC = await readByC(printer, struct, bytes);
        assert.equal(inC.length, rounds);
        const view = new DataView(bytes.buffer);
        inC.forEach((fields, i) => {
          assert.deepEqual(textOf(codec.read(view, i * codec.size)), named(fields));
        });
      });

      it(`write ${struct} such that C reads the same, with nothing left of what was there`, async () => {
        const bytes = randomStructs(codec.size, randomFrom(codec.size + 1));
        const values = Array.from(
          { length: rounds },
          (_, i) => codec.read(new DataView(bytes.buffer), i * codec.size),
        );
        // One byte in front and one behind belong to somebody else.
        const dirty = new Uint8Array(1 + bytes.length + 1).fill(0xa5);
        const view = new DataView(dirty.buffer, 1, bytes.length);
        values.forEach((value, i) => codec.write(view, i * codec.size, value));
        const inC = await readByC(printer, struct, dirty.slice(1, -1));
        assert.equal(inC.length, rounds);
        inC.forEach((fields, i) => {
          assert.deepEqual(named(fields), textOf(values[i]));
          assert.ok(zerosOf(fields).every((zero) => zero === "0"), `zeros are ${zerosOf(fields)}`);
          assert.deepEqual(codec.read(view, i * codec.size), values[i]);
        });
        assert.deepEqual([dirty[0], dirty.at(-1)], [0xa5, 0xa5]);
      });
    }
  },
);

describe("a value that does not fit", () => {
  const address = new Uint8Array(16);
  const writeKey = (change: Partial<workload.FrontendKey>) => {
    const view = new DataView(new ArrayBuffer(workload.frontendKey.size));
    workload.frontendKey.write(view, 0, { address, port: 80, protocol: 6, ...change });
  };

  it("is refused with the field's name and what was expected, and never cut down", () => {
    for (const port of [65536, 65616, -1, 80.5, NaN]) {
      assert.throws(() => writeKey({ port }), {
        name: "RangeError",
        message: `frontend_key.port: expected a whole number from 0 to 65535, got ${port}`,
      });
    }
    assert.throws(
      () => writeKey({ protocol: 256 }),
      /^RangeError: frontend_key\.protocol: .* 0 to 255, got 256$/,
    );
    assert.throws(
      () => writeKey({ address: new Uint8Array(4) }),
      /^RangeError: frontend_key\.address: expected 16 bytes, got 4$/,
    );
  });

  it("is refused in numbers of 32 and 64 bits and in their lists as well", () => {
    const view = new DataView(new ArrayBuffer(64));
    assert.throws(
      () => workload.tier.write(view, 0, { slot: 2 ** 32, count: 0 }),
      /^RangeError: tier\.slot: .* 0 to 4294967295, got 4294967296$/,
    );
    // What `|` makes of TIER_WEIGHTED without `>>> 0`.
    assert.throws(
      () => workload.tier.write(view, 0, { slot: 0, count: workload.tierFlag.TIER_WEIGHTED | 1 }),
      /^RangeError: tier\.count: .* got -2147483647$/,
    );
    const cookies = [0n, 0n, 0n, 0n, 0n, 0n, 0n];
    assert.throws(
      () => workload.socketBucket.write(view, 0, { displaced: 2 ** 32, holders: 0, cookies }),
      /^RangeError: socket_bucket\.displaced: .* 0 to 4294967295, got 4294967296$/,
    );
    assert.throws(
      () => workload.socketBucket.write(view, 0, { displaced: 0, holders: 0, cookies: cookies.with(6, -1n) }),
      /^RangeError: socket_bucket\.cookies: .* got -1$/,
    );
    assert.throws(
      () => workload.socketBucket.write(view, 0, { displaced: 0, holders: 0, cookies: cookies.slice(1) }),
      /^RangeError: socket_bucket\.cookies: expected 7 words, got 6$/,
    );
  });
});
