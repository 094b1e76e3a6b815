import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../src/model/locator.ts';
import {
  type Draining,
  LONGEST_UNREPORTED_MS,
  runningOn,
  stepDraining,
  withDraining,
} from '../../../src/slots/draining.ts';
import { pod } from './services.ts';

const leaving: Draining = { pod: pod(1, 'draining'), since: 1000 };
const report = (from: number, running: number) => ({ from, running: new Map([[formatAddress(pod(1)), running]]) });
const base = { draining: [], published: [], present: [], report: undefined, now: 1000 };

describe('a pod that has left its source', () => {
  test('stays as draining', () => {
    expect(stepDraining({ ...base, published: [pod(1), pod(2)], present: [pod(2)] })).toEqual([leaving]);
  });

  test('stays while Envoy reports requests on it', () => {
    expect(
      stepDraining({
        ...base,
        draining: [leaving],
        published: [pod(1, 'draining')],
        report: report(2000, 1),
        now: 99_999,
      }),
    ).toEqual([leaving]);
  });

  test('goes once a report made after it left says nothing runs there', () => {
    expect(
      stepDraining({ ...base, draining: [leaving], published: [pod(1, 'draining')], report: report(1001, 0) }),
    ).toEqual([]);
    expect(
      stepDraining({
        ...base,
        draining: [leaving],
        published: [pod(1, 'draining')],
        report: { from: 1001, running: new Map() },
      }),
    ).toEqual([]);
  });

  test('is not let go by a report from before', () => {
    expect(
      stepDraining({ ...base, draining: [leaving], published: [pod(1, 'draining')], report: report(1000, 0) }),
    ).toEqual([leaving]);
  });

  test('goes after a while when nobody reports', () => {
    const now = 1000 + LONGEST_UNREPORTED_MS;
    expect(stepDraining({ ...base, draining: [leaving], published: [pod(1, 'draining')], now: now - 1 })).toEqual([
      leaving,
    ]);
    expect(stepDraining({ ...base, draining: [leaving], published: [pod(1, 'draining')], now })).toEqual([]);
  });

  test('that comes back is an ordinary pod again', () => {
    expect(stepDraining({ ...base, draining: [leaving], published: [pod(1, 'draining')], present: [pod(1)] })).toEqual(
      [],
    );
  });

  test('keeps the time when it left', () => {
    const published = [pod(1, 'draining')];
    expect(stepDraining({ ...base, draining: [leaving], published, now: 5000 })).toEqual([leaving]);
  });
});

test('what is published has the present and the draining pods, sorted', () => {
  expect(withDraining([pod(2)], [leaving])).toEqual([pod(1, 'draining'), pod(2)]);
});

describe('requests on a draining pod', () => {
  test('count from the first report made after it began to drain', () => {
    expect(runningOn(pod(1), [leaving], report(999, 2))).toBe(0);
    expect(runningOn(pod(1), [leaving], report(1001, 2))).toBe(2);
    expect(runningOn(pod(1), [leaving], undefined)).toBe(0);
  });

  test('on a pod that its source calls terminating count as well', () => {
    const [draining] = stepDraining({ ...base, published: [pod(1)], present: [pod(1, 'draining')] });
    expect(draining).toEqual(leaving);
    expect(
      stepDraining({ ...base, present: [pod(1, 'draining')], report: report(2000, 0), now: 99_999_999 }),
    ).toHaveLength(1);
  });
});
