import { OPPONENTS, type OpponentName } from '../../../bench/compare/opponents/opponent.ts';
import type { Distribution, Results, Run, Series } from '../../../bench/compare/results.ts';
import { SCENARIOS } from '../../../bench/compare/scenarios/all.ts';

/** A distribution around one number. */
export function around(mean: number): Distribution {
  return { count: 100, mean, p50: mean * 0.9, p90: mean * 1.5, p99: mean * 3, max: mean * 4 };
}

/** A run without faults whose mean response is `mean`, 100 ms in the ideal line; `rest` overrides the rest. */
export function madeUpRun(opponent: OpponentName, repeat: number, mean: number, rest: Partial<Run> = {}): Run {
  return {
    opponent,
    repeat,
    sent: 100,
    answered: 100,
    outcomes: { 200: 100 },
    held: { peak: 1, timesOver: 0 },
    lost: { ms: 1, busyMs: 99, share: 0.01 },
    order: { compared: 100, pairs: 0, overtaken: 0, mostPlaces: 0 },
    wait: around(mean / 2),
    response: around(mean),
    makespan: 1000,
    ideal: { wait: around(50), response: around(100), makespan: 990, lost: 0 },
    cpuMs: { proxy: 100, controlPlane: 10 },
    residentMb: { proxy: 70, controlPlane: 160 },
    ...rest,
  };
}

const series: Series = {
  stepMs: 50,
  held: Array.from({ length: 10 }, (_, pod) => [0, 0.5, 1, 1, pod, 0]),
  waiting: [0, 1, 3, 2, 0, 0],
  response: { stepMs: 100, p50: [50, null, 60], p99: [200, null, 300] },
};

/** Results of all scenarios: Sluice needs 105 ms, each further opponent 10 ms more, nginx refuses a tenth. */
export function madeUpResults(): Results {
  const runOf = (name: OpponentName, index: number, repeat: number) =>
    madeUpRun(name, repeat, 105 + 10 * index + repeat, {
      series,
      ...(name === 'nginx' && { answered: 90, response: around(60) }),
      ...(name === 'random' && { held: { peak: 9, timesOver: 12 } }),
    });
  return {
    machine: { cpu: 'a processor', cores: 2, memoryGb: 8, system: 'Linux 6' },
    versions: { Node: '24.0.0', Envoy: '1.40.0' },
    scenarios: SCENARIOS.map(({ name, opponents, groups }) => ({
      name,
      date: '2026-01-02T03:04:05.000Z',
      quick: false,
      skipped: {},
      runs: OPPONENTS.filter((one) => opponents.includes(one)).flatMap((one, index) =>
        [0, 1, 2].map((repeat) => ({
          ...runOf(one, index, repeat),
          ...(groups && {
            groups: Object.fromEntries(groups.map((group, at) => [group, around(10 ** at + index + repeat)])),
          }),
        })),
      ),
    })),
    closedLoop: {
      date: '2026-01-02T03:04:05.000Z',
      quick: false,
      pods: 4,
      limit: 8,
      clients: 64,
      runs: (['sluice', 'haproxy'] as const).flatMap((opponent, index) =>
        [0, 1, 2].map((round) => ({
          opponent,
          round,
          perSecond: 20_000 * (index + 1) + round,
          requests: 80_000,
          errors: 0,
          cpuMs: { proxy: 4000, controlPlane: 10 },
        })),
      ),
    },
    growth: {
      date: '2026-01-02T03:04:05.000Z',
      quick: false,
      podsPerService: 10,
      sizes: [10, 1000].map((services) => ({
        services,
        readyMs: services,
        cpuMs: { proxy: services, controlPlane: 500 + services },
        residentMb: { proxy: 60 + services / 10, controlPlane: 100 + services / 20 },
        idleShare: { proxy: 0.001, controlPlane: 0.002 },
      })),
    },
  };
}
