import { millis } from '../../base/duration.ts';
import { type Fair, MOST_CLASSES, type Priority } from '../../model/service.ts';
import type { queueFields } from './queue-keys.ts';
import { enumerate, quote, type Report } from './report.ts';
import { type Got, need, type ReadFields } from './shape.ts';

/** `queue` of a service, read key by key. */
export type ReadQueue = ReadFields<typeof queueFields>;

const NEVER = millis(0);

type ReadFair = NonNullable<NonNullable<ReadQueue['fair']>['value']>;
type ReadPriority = NonNullable<NonNullable<ReadQueue['priority']>['value']>;

/** The keys of a queue that only a limit makes one. */
export const ONLY_LIMITED = ['timeout', 'priority', 'fair', 'deadline', 'place', 'wait_for_body', 'slack'] as const;

/** Reports keys of a queue that mean nothing together. */
export function checkQueue(queue: ReadQueue, isLimited: boolean, report: Report): void {
  for (const key of isLimited ? [] : ONLY_LIMITED) {
    const got = queue[key];
    if (got?.written !== true) continue;
    report.error(got, { message: 'only with a limit: without one there is no queue', fix: 'remove it, or set limit' });
  }
  if (queue.priority?.value !== undefined) checkPriority(queue.priority.value, report);
}

function checkPriority(read: ReadPriority, report: Report): void {
  const classes = read.classes.value;
  if (classes === undefined) return;
  if (classes.length > MOST_CLASSES) {
    report.error(read.classes, {
      message: `has ${classes.length} classes, and a queue has at most ${MOST_CLASSES}`,
      fix: 'join some of them',
    });
  }
  checkClass(read.default, classes, report);
  for (const { name, nameAt, path } of read.max_wait?.value ?? [])
    checkClass({ path, at: nameAt, written: true, value: name }, classes, report);
}

function checkClass(got: Got<string>, classes: readonly string[], report: Report): void {
  if (got.value === undefined || classes.includes(got.value)) return;
  const fix = `write one of ${enumerate(classes)}, or add it to classes`;
  report.error(got, { message: `${quote(got.value)} is none of the classes`, fix });
}

/** What the model has of a queue besides its bounds. The queue has been read without an error. */
export function toOrder({ priority, fair, deadline }: ReadQueue): {
  readonly priority?: Priority;
  readonly fair?: Fair;
  readonly deadline?: 'exact' | 'early';
} {
  const own = need(deadline);
  return {
    ...(own === 'off' ? {} : { deadline: own }),
    ...(priority === undefined ? {} : { priority: toPriority(need(priority)) }),
    ...(fair === undefined ? {} : { fair: toFair(need(fair)) }),
  };
}

function toFair({ header, by, metadata, weights, ...bounds }: ReadFair): Fair {
  const { max_per_tenant: maxWaiting, slots_per_tenant: maxSlots } = bounds;
  return {
    by: toTenant({ header, by, metadata }),
    weights: (weights === undefined ? [] : need(weights)).map((got) => ({ tenant: got.name, weight: need(got) })),
    maxWaiting: maxWaiting === undefined ? 0 : need(maxWaiting),
    maxSlots: maxSlots === undefined ? 0 : need(maxSlots),
  };
}

function toTenant({ header, by, metadata }: Pick<ReadFair, 'header' | 'by' | 'metadata'>): Fair['by'] {
  if (header !== undefined) return { kind: 'header', name: need(header) };
  if (by !== undefined) return { kind: need(by) };
  return { kind: 'metadata', path: (metadata === undefined ? [] : need(metadata)).map(need) };
}

function toPriority({ header, classes, default: usual, max_wait: maxWait }: ReadPriority): Priority {
  const waits = new Map((maxWait === undefined ? [] : need(maxWait)).map((got) => [got.name, need(got)]));
  return {
    ...(header === undefined ? {} : { header: need(header) }),
    classes: need(classes).map((name) => ({ name, maxWait: waits.get(name) ?? NEVER })),
    usual: need(usual),
  };
}
