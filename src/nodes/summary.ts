import type { Problem } from '../model/problem.ts';

/** So many Envoys with the very same problem are told one by one; more are told together. */
const MOST_ALONE = 5;

/** As many of them are named. */
const NAMED = 3;

const ENVOY = 'Envoy ';

/** The same problems, but where many Envoys have the same one it is one: there may be thousands of them. */
export function summarizeEnvoys(problems: readonly Problem[]): readonly Problem[] {
  const alike = Map.groupBy(problems, keyOf);
  return [...alike].flatMap(([key, same]) => (key === undefined || same.length <= MOST_ALONE ? same : together(same)));
}

/** What is equal where problems are the same but for the Envoy; undefined: it is about something else. */
function keyOf({ subject, severity, message, fix }: Problem): string | undefined {
  return subject.startsWith(ENVOY) ? JSON.stringify([severity, message, fix ?? '']) : undefined;
}

function together(same: readonly Problem[]): readonly Problem[] {
  const [first] = same;
  if (first === undefined) return [];
  const named = same.slice(0, NAMED).map(({ subject }) => subject.slice(ENVOY.length));
  return [{ ...first, subject: `each of ${roughly(same.length)} Envoys (${named.join(', ')}, …)` }];
}

/** Not each that comes or goes is to be another problem. */
function roughly(count: number): string {
  if (count < 10) return `${count}`;
  const unit = 10 ** Math.floor(Math.log10(count));
  return `${(Math.floor(count / unit) * unit).toLocaleString('en')} or more`;
}
