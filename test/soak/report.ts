import type { History, Violation } from './history.ts';
import type { Outcome } from './run.ts';
import { type Schedule, stepText } from './schedule.ts';

/** Steps that are told before the violation. */
const STEPS = 12;

const LINES = 25;

const AROUND_MS = 1500;

/** What went wrong, at which step, and what happened around it. */
export function report(what: string, { steps }: Schedule, { violations, history }: Outcome): string {
  const [first] = violations;
  if (first === undefined) return `${what}: every rule was kept`;
  const at = first.at - history.began;
  const done = steps.filter((step) => step.at <= at && step.kind !== 'load');
  return [
    `${what}: ${violations.length} violations, the first after ${(at / 1000).toFixed(2)} s, step ${steps.findLastIndex((step) => step.at <= at)}:`,
    ...violations
      .slice(0, 8)
      .map((one) => `  ${one.rule}, ${((one.at - history.began) / 1000).toFixed(2)} s: ${one.text}`),
    'steps before it:',
    ...done.slice(-STEPS).map((step) => `  ${stepText(step)}`),
    ...(history.versions.at(-1)?.settledAt === undefined
      ? [`the last edit is not active: ${history.versions.at(-1)?.missing}`]
      : []),
    'what happened around it:',
    ...around(history, first).slice(0, LINES),
  ].join('\n');
}

/** Edits, troubles, and what became of the requests and pods that it is about. */
function around(history: History, { at, about }: Violation): readonly string[] {
  const { began, visits, sent, troubles, versions } = history;
  const isNear = (moment: number) => Math.abs(moment - at) <= AROUND_MS;
  const lines = [
    ...visits
      .filter((one) => about.includes(one.id) || (about.includes(one.pod) && isNear(one.arrived)))
      .map(({ arrived, ended, pod, id, outcome, held }) => ({
        at: arrived,
        text: `${id} at ${pod}, which has ${held}; ${outcome}${ended === undefined ? '' : ` after ${(ended - arrived).toFixed(1)} ms`}`,
      })),
    ...sent
      .filter(({ id }) => about.includes(id))
      .flatMap(({ id, asked, result }) => [
        { at: asked, text: `${id} is sent` },
        ...(result
          ? [{ at: result.ended, text: `${id} ends: ${result.outcome} ${result.status} ${result.error ?? ''}` }]
          : []),
      ]),
    ...troubles.flatMap((one) => [
      { at: one.from, text: `${one.kind === 'pod' ? one.pod : one.kind}: ${one.how}` },
      { at: one.to, text: `${one.kind === 'pod' ? one.pod : one.kind}: no longer ${one.how}` },
    ]),
    ...versions.flatMap((one) => [
      { at: one.at, text: 'an edit' },
      ...(one.settledAt === undefined ? [] : [{ at: one.settledAt, text: 'the edit is active' }]),
    ]),
  ];
  const shown = lines.filter(
    (line) => isNear(line.at) || (line.at < at && at - line.at < 10 * AROUND_MS && !/is at|at 127/.test(line.text)),
  );
  return shown
    .sort((a, b) => a.at - b.at)
    .map((line) => `  ${((line.at - began) / 1000).toFixed(3).padStart(9)} s  ${line.text}`);
}
