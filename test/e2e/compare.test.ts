import { expect, it } from 'vitest';
import { contest } from '../../bench/compare/contest.ts';
import { renderPage } from '../../bench/compare/report/page.ts';
import { fourRequests } from '../../bench/compare/scenarios/four-requests.ts';

it('the comparison runs: four requests on two pods, Sluice alone, and the page can be made from it', async () => {
  const scenario = {
    ...fourRequests,
    plan: (seed: number, quick: boolean) => {
      const { requests, changes } = fourRequests.plan(seed, quick);
      return { requests: requests.slice(0, 12), changes };
    },
  };
  const result = await contest(scenario, { quick: true, only: ['sluice'], say: () => undefined });
  expect(result.skipped).toEqual({});
  expect(result.runs).toHaveLength(1);
  expect(result.runs[0]).toMatchObject({
    opponent: 'sluice',
    sent: 12,
    answered: 12,
    outcomes: { 200: 12 },
    held: { timesOver: 0 },
  });
  expect(result.runs[0]?.held.peak).toBeLessThanOrEqual(2);
  expect(result.runs[0]?.residentMb.proxy).toBeGreaterThan(10);
  const machine = { cpu: 'any', cores: 1, memoryGb: 1, system: 'Linux' };
  const page = renderPage({ machine, versions: {}, scenarios: [result] }, [scenario]);
  expect(page.markdown).toContain('### Four requests at once on two pods');
  expect([...page.pictures.keys()]).toEqual(['four-requests-pods', 'four-requests-response']);
});
