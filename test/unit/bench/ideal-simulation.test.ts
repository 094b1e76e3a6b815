import { describe, expect, it } from 'vitest';
import { serversOf, simulateIdeal } from '../../../bench/compare/measures/ideal-simulation.ts';
import { idealFifo } from '../../e2e/kit/ideal.ts';
import { exponential, seeded } from '../../e2e/kit/random.ts';

const always = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY, dies: false };

describe('simulateIdeal', () => {
  it('is the plain first-in first-out line when no server comes or goes', () => {
    const random = seeded(4);
    const work = exponential(30);
    const jobs = Array.from({ length: 400 }, (_, index) => ({ at: index * 9, work: work(random) }));
    const plain = idealFifo(
      jobs.map(({ at }) => at),
      jobs.map((job) => job.work),
      3,
    );
    const outcomes = simulateIdeal(jobs, [always, always, always]);
    expect(outcomes.map(({ began }) => began)).toEqual(plain.starts);
    expect(outcomes.map(({ ended }) => ended)).toEqual(plain.ends);
  });

  it('begins at a server from the moment it is there', () => {
    const jobs = [0, 0, 0].map((at) => ({ at, work: 100 }));
    expect(simulateIdeal(jobs, [always, { ...always, from: 30 }])).toEqual([
      { began: 0, ended: 100 },
      { began: 30, ended: 130 },
      { began: 100, ended: 200 },
    ]);
  });

  it('lets a server that leaves finish what it has, and begin nothing more', () => {
    const jobs = [0, 0, 0].map((at) => ({ at, work: 100 }));
    const outcomes = simulateIdeal(jobs, [always, { ...always, until: 50 }]);
    expect(outcomes.map(({ ended }) => ended)).toEqual([100, 100, 200]);
  });

  it('loses what a server works on when it dies', () => {
    const jobs = [
      { at: 0, work: 100 },
      { at: 10, work: 10 },
    ];
    expect(
      simulateIdeal(jobs, [
        { ...always, until: 50, dies: true },
        { ...always, from: 60 },
      ]),
    ).toEqual([
      { began: 0, ended: undefined },
      { began: 60, ended: 70 },
    ]);
    expect(simulateIdeal(jobs, [{ ...always, until: -1 }])[0]).toEqual({ began: undefined, ended: undefined });
  });
});

describe('serversOf', () => {
  it('has a server per worker for as long as its pod is there', () => {
    const servers = serversOf(
      {
        requests: [],
        changes: [
          { kind: 'members', at: 10, members: [0, 2] },
          { kind: 'dies', at: 20, pod: 2 },
          { kind: 'returns', at: 30, pod: 2 },
        ],
      },
      { members: 2, limit: 2 },
    );
    const infinity = Number.POSITIVE_INFINITY;
    const expected = [
      { from: -infinity, until: 10, dies: false },
      { from: 10, until: 20, dies: true },
      { from: -infinity, until: infinity, dies: false },
      { from: 30, until: infinity, dies: false },
    ];
    expect(servers).toEqual(expected.flatMap((server) => [server, server]));
  });
});
