import { expect, test } from 'vitest';
import { KnownJobs } from '../../../../src/endpoints/jobs/known-jobs.ts';

const POD = '10.0.0.1:80';
const job = { member: 'm', node: 'edge', address: POD, id: 'a', slots: 1, since: 0 };

test('what has ended is remembered only of pods that are asked for their jobs', () => {
  for (const isAsked of [true, false]) {
    const known = new KnownJobs(() => isAsked);
    known.add(job);
    known.remove(job);
    // Its pod still names it.
    expect(known.unknownAt(POD, new Set(['a']))).toBe(isAsked ? 0 : 1);
  }
});

test('so are jobs whose filter is gone', () => {
  for (const isAsked of [true, false]) {
    const known = new KnownJobs(() => isAsked);
    known.add(job);
    known.orphan('m');
    expect([known.at(POD).length, known.unknownAt(POD, undefined)]).toEqual([0, isAsked ? 1 : 0]);
  }
});

test('the jobs of a pod are its own, and those of a member that tells anew are gone', () => {
  const known = new KnownJobs(() => true);
  known.add(job);
  known.add({ ...job, id: 'b', member: 'n' });
  known.add({ ...job, address: '10.0.0.2:80' });
  expect(known.at(POD).map(({ id }) => id)).toEqual(['a', 'b']);
  known.forget('m');
  expect(known.at(POD).map(({ id }) => id)).toEqual(['b']);
  expect(known.at('10.0.0.2:80')).toEqual([]);
});

test('jobs are counted by the slots that they have', () => {
  const known = new KnownJobs(() => true);
  known.add({ ...job, slots: 4 });
  known.add({ ...job, id: 'b', slots: 2, member: 'n' });
  known.orphan('m');
  // The pod has not been asked since, then names it, and another one that nobody has told of.
  expect(known.unknownAt(POD, new Set(['b']))).toBe(4);
  known.said(POD, new Set(['a', 'b', 'c']));
  expect(known.unknownAt(POD, new Set(['a', 'b', 'c']), 3)).toBe(4 + 3);
  known.said(POD, new Set(['b']));
  expect(known.unknownAt(POD, new Set(['b']))).toBe(0);
});
