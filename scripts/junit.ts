/** What became of tests. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const stepsFailed = /^\d+ test steps? failed$/;

/**
 * Counts the tests in a JUnit file that `deno test` wrote.
 *
 * Deno lists a group as a case of its own beside its members, which are named `group > member`. Members count; a group does
 * only where it has none, or where it failed by itself (a hook threw) and not for a member.
 */
export function countTests(junit: string): Counts {
  const cases = [...junit.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, name, body = ""]) => ({ name, body }),
  );
  const separator = " &gt; ";
  const groups = new Set(cases.flatMap(({ name }) => {
    const parts = name.split(separator);
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join(separator));
  }));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, body } of cases) {
    const failure = body.match(/<(?:failure|error) message="([^"]*)"/);
    if (groups.has(name)) {
      if (failure && !stepsFailed.test(failure[1])) counts.failed++;
    } else if (failure) {
      counts.failed++;
    } else if (body.includes("<skipped")) {
      counts.skipped++;
    } else {
      counts.passed++;
    }
  }
  return counts;
}
