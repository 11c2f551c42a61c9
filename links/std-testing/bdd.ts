/**
 * `@std/testing/bdd`: `describe` and `it` on top of `Deno.test` and its steps. One `describe` at the top of a file is
 * one `Deno.test`; everything inside it is a step. (`node:test` is not used: under Deno it loses errors that
 * `afterEach` throws, so a resource that fails to clean up would go unseen.)
 *
 * @module
 */

/** What a group or a test can ask for. */
export interface TestOptions {
  /** Do not run it; it is counted as ignored. @default {false} */
  ignore?: boolean;
}

type Hook = () => void | Promise<void>;
type TestFunction = (t: Deno.TestContext) => void | Promise<void>;

interface Test {
  kind: "test";
  name: string;
  ignore: boolean;
  run: TestFunction;
}

interface Suite {
  kind: "suite";
  name: string;
  ignore: boolean;
  members: (Suite | Test)[];
  beforeAll: Hook[];
  afterAll: Hook[];
  beforeEach: Hook[];
  afterEach: Hook[];
}

/** The suites whose `describe` callback is running, outermost first. Registration is synchronous, so one list is enough. */
const open: Suite[] = [];

/** Registers a group of tests. `register` runs at once and must not be async. */
export function describe(name: string, register: () => void | undefined): void;
export function describe(name: string, options: TestOptions, register: () => void | undefined): void;
export function describe(
  name: string,
  ...rest: [() => void | undefined] | [TestOptions, () => void | undefined]
): void {
  const [options, register] = rest.length === 1 ? [{}, rest[0]] : rest;
  const parent = open.at(-1);
  const suite: Suite = {
    kind: "suite",
    name,
    ignore: options.ignore === true || parent?.ignore === true,
    members: [],
    beforeAll: [],
    afterAll: [],
    beforeEach: [],
    afterEach: [],
  };
  open.push(suite);
  try {
    register();
  } finally {
    open.pop();
  }
  if (parent !== undefined) {
    parent.members.push(suite);
  } else {
    Deno.test(name, (t) => runSuite(suite, t, []));
  }
}

/** Registers one test, in the group whose callback is running or else on its own. */
export function it(name: string, run: TestFunction): void;
export function it(name: string, options: TestOptions, run: TestFunction): void;
export function it(name: string, ...rest: [TestFunction] | [TestOptions, TestFunction]): void {
  const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest;
  const suite = open.at(-1);
  const ignore = options.ignore === true || suite?.ignore === true;
  if (suite !== undefined) {
    suite.members.push({ kind: "test", name, ignore, run });
  } else {
    Deno.test({ name, ignore, fn: run });
  }
}

/** Registers a test that is not run and counted as ignored. */
it.ignore = (name: string, run: TestFunction): void => it(name, { ignore: true }, run);
/** The same as `it.ignore`. */
it.skip = it.ignore;

/** Registers a group none of whose tests is run; each is counted as ignored. */
describe.ignore = (name: string, register: () => void | undefined): void =>
  describe(name, { ignore: true }, register);
/** The same as `describe.ignore`. */
describe.skip = describe.ignore;

/** Runs once, ahead of the tests of the group; where it throws, none of them is run and the group fails. */
export function beforeAll(hook: Hook): void {
  currentSuite("beforeAll").beforeAll.push(hook);
}

/** Runs once, after the tests of the group, whatever became of them. */
export function afterAll(hook: Hook): void {
  currentSuite("afterAll").afterAll.push(hook);
}

/** The same as `beforeAll`. */
export const before = beforeAll;
/** The same as `afterAll`. */
export const after = afterAll;

/** Runs ahead of each test of the group and of the groups inside it, outer hooks first. */
export function beforeEach(hook: Hook): void {
  currentSuite("beforeEach").beforeEach.push(hook);
}

/** Runs after each test of the group and of the groups inside it, inner hooks first, also where the test failed. */
export function afterEach(hook: Hook): void {
  currentSuite("afterEach").afterEach.push(hook);
}

function currentSuite(caller: string): Suite {
  const suite = open.at(-1);
  if (suite === undefined) throw new Error(`${caller}() must be called inside a describe() callback`);
  return suite;
}

/** Runs a suite's members as steps of `t`; `outer` are the suites around it, outermost first. */
async function runSuite(suite: Suite, t: Deno.TestContext, outer: Suite[]): Promise<void> {
  const path = [...outer, suite];
  const hooked = hasTestToRun(suite);
  const errors: unknown[] = [];
  try {
    if (hooked) await runInOrder(suite.beforeAll);
    for (const member of suite.members) {
      await t.step({
        name: member.name,
        ignore: member.kind === "test" && member.ignore,
        fn: (step) => member.kind === "suite" ? runSuite(member, step, path) : runTest(member, step, path),
      });
    }
  } catch (error) {
    errors.push(error);
  }
  if (hooked) errors.push(...await runAll(suite.afterAll));
  throwIfAny(errors, `describe "${suite.name}"`);
}

async function runTest(test: Test, t: Deno.TestContext, path: Suite[]): Promise<void> {
  const errors: unknown[] = [];
  try {
    await runInOrder(path.flatMap((suite) => suite.beforeEach));
    await test.run(t);
  } catch (error) {
    errors.push(error);
  }
  errors.push(...await runAll(path.toReversed().flatMap((suite) => suite.afterEach)));
  throwIfAny(errors, `it "${test.name}"`);
}

function hasTestToRun(suite: Suite): boolean {
  return suite.members.some((member) => member.kind === "suite" ? hasTestToRun(member) : !member.ignore);
}

async function runInOrder(hooks: Hook[]): Promise<void> {
  for (const hook of hooks) await hook();
}

/** Runs every hook, also after one has thrown, and answers with what was thrown. */
async function runAll(hooks: Hook[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (const hook of hooks) {
    try {
      await hook();
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}

function throwIfAny(errors: unknown[], where: string): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${where}: ${errors.length} errors`);
}
