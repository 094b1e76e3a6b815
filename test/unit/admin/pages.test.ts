import { expect, test } from 'vitest';
import { textPage } from '../../../src/admin/page.ts';
import { makePage, NOT_FOUND, type PageInputs } from '../../../src/admin/pages.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import type { Sample } from '../../../src/telemetry/history.ts';
import { exampleInput } from '../status/example.ts';

const SAMPLE: Sample = {
  at: 0,
  inUse: 1,
  waiting: 2,
  mostInUse: 2,
  mostWaiting: 5,
  slots: 2,
  arrived: 3,
  ended: 3,
  refused: 0,
  failed: 0,
  waitP50: 1,
  waitP99: 2,
  workP50: undefined,
  workP99: undefined,
};
const status = describeStatus(exampleInput());
const inputs: PageInputs = {
  status: () => status,
  metrics: { contentType: 'text/plain; version=0.0.4', text: async ({ version }) => `sluice_build_info ${version}\n` },
  ready: () => ({ ready: true }),
  history: (service) => [{ ...SAMPLE, at: service.length }],
  explain: (query) => {
    const url = query.get('url');
    return url === null ? fail('URL: write one.') : ok({ taken: url === '/a', text: `explained ${query}` });
  },
};

test('a request is explained, or what is wrong with the question', async () => {
  const asked = await makePage('/explain', inputs, new URLSearchParams('url=/a&method=POST'));
  expect(asked).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
  expect(JSON.parse(asked?.body ?? '')).toEqual({ taken: true, text: 'explained url=%2Fa&method=POST' });
  expect(await makePage('/explain', inputs)).toEqual(textPage(400, 'URL: write one.'));
});

test('health says ok', async () => {
  expect(await makePage('/healthz', inputs)).toEqual({
    status: 200,
    type: 'text/plain; charset=utf-8',
    body: 'ok\n',
  });
});

test('readiness is 200, or 503 with every reason', async () => {
  expect(await makePage('/readyz', inputs)).toMatchObject({ status: 200, body: '{\n  "ready": true\n}\n' });
  const reasons = ['no Envoy is connected'];
  const page = await makePage('/readyz', { ...inputs, ready: () => ({ ready: false, reasons }) });
  expect(page?.status).toBe(503);
  expect(page?.type).toBe('application/json; charset=utf-8');
  expect(JSON.parse(page?.body ?? '')).toEqual({ ready: false, reasons });
});

test('the status is the whole document', async () => {
  const page = await makePage('/status', inputs);
  expect(page).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
  expect(JSON.parse(page?.body ?? '')).toEqual(status);
});

test('metrics are made from the status of this moment, in their own type', async () => {
  expect(await makePage('/metrics', inputs)).toEqual({
    status: 200,
    type: 'text/plain; version=0.0.4',
    body: 'sluice_build_info 1.2.3\n',
  });
});

test('the history is that of the service that is asked for', async () => {
  const page = await makePage('/history', inputs, new URLSearchParams('service=codec'));
  expect(JSON.parse(page?.body ?? '')).toEqual([JSON.parse(JSON.stringify({ ...SAMPLE, at: 5 }))]);
});

test('other paths have no page', () => {
  for (const path of ['', '/statuses', '/Status', '/status/', '//', '__proto__', '/constructor', '/../status'])
    expect(makePage(path, inputs), path).toBeUndefined();
  expect(NOT_FOUND).toEqual(
    textPage(
      404,
      'There is no such page. Those there are: / /healthz /readyz /status /metrics /explain /history /events',
    ),
  );
});
