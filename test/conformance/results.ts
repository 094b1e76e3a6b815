/** A test of the suite; without features it is a core test. */
export interface ListedTest {
  readonly name: string;
  readonly features: readonly string[];
}

/** What came of each test. */
export type Outcome = 'pass' | 'fail' | 'skip';

/** The outcomes in the verbose output of Go's tests: `    --- PASS: TestConformance/Name (1.2s)`. */
export function readOutcomes(output: string): ReadonlyMap<string, Outcome> {
  const words: Readonly<Record<string, Outcome>> = { PASS: 'pass', FAIL: 'fail', SKIP: 'skip' };
  const lines = output.matchAll(/^ {4}--- (PASS|FAIL|SKIP): TestConformance\/(\w+) /gm);
  return new Map([...lines].map(([, word = '', name = '']) => [name, words[word] ?? 'fail']));
}

/** What was run: which tests there are, which features are claimed, and what came of it. */
export interface Results {
  readonly profiles: Readonly<Record<string, readonly ListedTest[]>>;
  readonly features: readonly string[];
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** The table that people read: first core tests, then extended ones with what they need. */
export function tableOf({ profiles, features: claimed, outcomes }: Results): string {
  return Object.entries(profiles)
    .map(([profile, tests]) => {
      const core = tests.filter(({ features }) => features.length === 0);
      const extended = tests.filter(({ features }) => features.length > 0);
      return [
        `${profile}: core ${passed(core, outcomes)} of ${core.length}, extended ${passed(extended, outcomes)} of ${extended.length}`,
        ...[...core, ...extended].map(({ name, features }) => {
          const isClaimed = features.every((feature) => claimed.includes(feature));
          // What is not claimed the suite skips: docs/gateway-api.md says why.
          const outcome = isClaimed ? (outcomes.get(name) ?? 'not run') : 'left out';
          return `  ${outcome.padEnd(8)} ${name}${features.length === 0 ? '' : ` (${features.join(', ')})`}`;
        }),
        '',
      ].join('\n');
    })
    .join('\n');
}

function passed(tests: readonly ListedTest[], outcomes: ReadonlyMap<string, Outcome>): number {
  return tests.filter(({ name }) => outcomes.get(name) === 'pass').length;
}
