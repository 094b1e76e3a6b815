import { describe, expect, it } from 'vitest';
import { notFirst } from '../../../bench/compare/report/findings.ts';
import { renderPage } from '../../../bench/compare/report/page.ts';
import { SCENARIOS } from '../../../bench/compare/scenarios/all.ts';
import { around, madeUpResults, madeUpRun } from './made-up-results.ts';

const { markdown, pictures } = renderPage(madeUpResults(), SCENARIOS);

/** What is not well-formed XML in a text; enough for what the pictures are made of. */
function faultOf(svg: string): string | undefined {
  const open: string[] = [];
  for (const [tag, end, name = '', rest = ''] of svg.matchAll(/<(\/?)([a-zA-Z]+)([^<>]*)>/g)) {
    if (end === '/') {
      if (open.pop() !== name) return tag;
    } else if (!/^(\s+[a-zA-Z][a-zA-Z0-9-]*="[^"<]*")*\s*\/?$/.test(rest)) return tag;
    else if (!rest.endsWith('/')) open.push(name);
  }
  return open.length === 0 ? undefined : open.join();
}

describe('the page', () => {
  it('has a section for each scenario, and each picture it shows', () => {
    for (const { title, about } of SCENARIOS) {
      expect(markdown).toContain(`### ${title}\n`);
      expect(markdown).toContain(about);
    }
    const shown = [...markdown.matchAll(/\]\(benchmark\/([a-z0-9-]+)\.svg\)/g)].map(([, name]) => name);
    expect(new Set(shown)).toEqual(new Set(pictures.keys()));
  });

  it('sums up at the top who was strict and who refuses', () => {
    const rows = markdown.split('\n').filter((line) => line.startsWith('| '));
    expect(rows.find((line) => line.startsWith('| **Sluice** |'))).toMatch(
      /^\| \*\*Sluice\*\* \| yes \| 0 \| 0 \| 1\.0 %/,
    );
    expect(rows.find((line) => line.startsWith('| Random pod |'))).toContain('| in 0 of 7 |');
    expect(rows.find((line) => line.startsWith('| nginx |'))).toContain('| 10 % (10 %) |');
    expect(markdown).toMatch(/In \d+ runs with [\d,]+ requests no pod ever held more than its limit/);
  });

  it('marks who went over a limit, and shows medians with their range', () => {
    expect(markdown).toContain('| **9** of 2 |');
    expect(markdown).toContain('106 (105–107)');
  });

  it('says where somebody else was better, and that they refuse', () => {
    const section = markdown.slice(markdown.indexOf('## Where Sluice is not first'));
    expect(section).toMatch(/\| Four requests[^|]*\| {2}\| Mean response: 106 ms, nginx 60\.0 ms<br>/);
  });

  it('shows how long each group waits, and blames nobody there for an order that was asked for', () => {
    expect(markdown).toContain('| wait: mean, p99 | high | normal | low |');
    expect(markdown).toContain('![Three classes of requests](benchmark/priority-waits.svg)');
    const svg = pictures.get('priority-waits') ?? '';
    expect(svg).toContain('low, HAProxy: mean 102 ms, p99 306 ms');
    const results = madeUpResults();
    const own = results.scenarios.find(({ name }) => name === 'priority');
    if (own === undefined) throw new Error('there is one');
    const runs = own.runs.map((run) => ({
      ...run,
      order: { compared: 100, pairs: 9, overtaken: run.opponent === 'sluice' ? 50 : 0, mostPlaces: 3 },
      groups: { high: around(run.opponent === 'sluice' ? 9 : 7), low: around(run.opponent === 'sluice' ? 7 : 9) },
    }));
    const found = notFirst({ ...own, runs }).map(({ figure }) => figure);
    expect(found).toEqual(expect.arrayContaining(['Mean wait of high', 'p99 wait of high']));
    expect(found.join()).not.toMatch(/overtaken|of low/);
    const other = results.scenarios[0];
    if (other === undefined) throw new Error('there is one');
    const overtaken = other.runs.map((run) => ({
      ...run,
      order: runs.find(({ opponent }) => opponent === run.opponent)?.order ?? run.order,
    }));
    expect(notFirst({ ...other, runs: overtaken }).map(({ figure }) => figure)).toContain('Requests overtaken');
  });

  it('compares with HAProxy, and says whether the bounds are kept', () => {
    expect(markdown).toMatch(/\| Jobs of 20 ms: Sluice and HAProxy \| 0\.914 × .*1\.08 ×: kept/);
  });

  it('says what one worker carries, beside HAProxy in the same round', () => {
    expect(markdown).toContain('| **Sluice** | 20,001 (20,000–20,002) | 0.50 × | 50.0 | 0 |');
  });

  it('says loudly when Sluice was not strict', () => {
    const results = madeUpResults();
    const [first] = results.scenarios;
    if (first === undefined) throw new Error('there is one');
    const runs = [madeUpRun('sluice', 0, 100, { held: { peak: 7, timesOver: 1 } })];
    const page = renderPage({ ...results, scenarios: [{ ...first, runs }] }, SCENARIOS);
    expect(page.markdown).toContain('**Sluice broke its promise:** four-requests, repeat 1: a pod held 7');
    expect(page.markdown).not.toContain('NaN');
  });

  it('can be made from one scenario alone, and names who was skipped', () => {
    const results = madeUpResults();
    const [first] = results.scenarios;
    if (first === undefined) throw new Error('there is one');
    const runs = first.runs.filter(({ opponent }) => opponent === 'sluice');
    const skipped = { haproxy: 'haproxy is not installed' };
    const { growth: _, ...rest } = results;
    const page = renderPage({ ...rest, scenarios: [{ ...first, runs, skipped }] }, SCENARIOS);
    expect(page.markdown).toContain('Without HAProxy: haproxy is not installed.');
    expect(page.markdown).toContain('HAProxy did not take part.');
    expect(page.markdown).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('the pictures', () => {
  it.each([...pictures])('%s is well-formed, and readable in light and dark', (_, svg) => {
    expect(faultOf(svg)).toBeUndefined();
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
    expect(svg).toContain('<rect class="paper"');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg).toMatch(/<desc id="d">.+<\/desc>/);
  });

  it('is judged by a check that would notice', () => {
    expect(faultOf('<a><b/></a>')).toBeUndefined();
    expect(faultOf('<a><b></a>')).toBe('</a>');
    expect(faultOf('<a x=1></a>')).toBe('<a x=1>');
    expect(faultOf('<a>')).toBe('a');
  });
});
