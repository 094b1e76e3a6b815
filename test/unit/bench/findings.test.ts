import { describe, expect, it } from 'vitest';
import { notFirst, strictnessFaults } from '../../../bench/compare/report/findings.ts';
import type { Run } from '../../../bench/compare/results.ts';
import { madeUpResults, madeUpRun } from './made-up-results.ts';

const contest = (...runs: Run[]) => ({ name: 'x', date: '', quick: false, skipped: {}, runs });

describe('notFirst', () => {
  it('finds nothing where Sluice is first or as good', () => {
    expect(notFirst(contest(madeUpRun('sluice', 0, 100), madeUpRun('haproxy', 0, 100)))).toEqual([]);
    expect(notFirst(contest(madeUpRun('haproxy', 0, 100)))).toEqual([]);
  });

  it('names the best of those who answer all, and beside it the best of those who refuse', () => {
    const found = notFirst(
      contest(
        madeUpRun('sluice', 0, 110),
        madeUpRun('haproxy', 0, 100),
        madeUpRun('full-scan', 0, 105),
        madeUpRun('nginx', 0, 60, { answered: 80 }),
      ),
    ).filter(({ figure }) => figure === 'Mean response');
    expect(found).toEqual([
      {
        scenario: 'x',
        figure: 'Mean response',
        sluice: '110 ms',
        best: '100 ms',
        opponent: 'haproxy',
        withinRange: false,
        refused: false,
      },
      expect.objectContaining({ best: '60.0 ms', opponent: 'nginx', refused: true }),
    ]);
  });

  it('says when the repeats overlap', () => {
    const runs = [
      ...[100, 120, 110].map((mean, repeat) => madeUpRun('sluice', repeat, mean)),
      ...[101, 109, 105].map((mean, repeat) => madeUpRun('haproxy', repeat, mean)),
    ];
    expect(notFirst(contest(...runs))[0]).toMatchObject({ figure: 'Mean response', withinRange: true });
  });

  it('looks at order, errors, lost slot time and cost as well', () => {
    const bad: Partial<Run> = {
      answered: 99,
      lost: { ms: 5, busyMs: 95, share: 0.05 },
      order: { compared: 100, pairs: 3, overtaken: 2, mostPlaces: 2 },
      cpuMs: { proxy: 300, controlPlane: 10 },
    };
    const found = notFirst(contest(madeUpRun('sluice', 0, 100, bad), madeUpRun('haproxy', 0, 100)));
    expect(found.map(({ figure }) => figure)).toEqual([
      'Slot time lost',
      'Requests overtaken',
      'Refused or failed',
      'CPU of proxy and control plane',
    ]);
  });
});

describe('strictnessFaults', () => {
  it('finds every run in which a pod held too much behind Sluice, and only those', () => {
    const results = madeUpResults();
    expect(strictnessFaults(results)).toEqual([]);
    const broken = contest(madeUpRun('sluice', 2, 100, { held: { peak: 3, timesOver: 4 } }));
    expect(strictnessFaults({ ...results, scenarios: [broken] })).toEqual([
      'x, repeat 3: a pod held 3, 4 times over its limit',
    ]);
  });
});
