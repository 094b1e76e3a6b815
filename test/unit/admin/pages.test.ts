import { expect, test } from 'vitest';
import { makePage, NOT_FOUND, type PageInputs, textPage } from '../../../src/admin/pages.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { exampleInput } from '../status/example.ts';

const status = describeStatus(exampleInput());
const inputs: PageInputs = {
  status: () => status,
  metrics: { contentType: 'text/plain; version=0.0.4', text: async ({ version }) => `sluice_build_info ${version}\n` },
  ready: () => ({ ready: true }),
};

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

test('the index links to every page, and nothing on it comes from elsewhere', async () => {
  const page = await makePage('/', inputs);
  const links = [...(page?.body ?? '').matchAll(/href="([^"]+)"/g)].map(([, link]) => link ?? '');
  expect(links).toEqual(['/', '/healthz', '/readyz', '/status', '/metrics']);
  for (const link of links) expect(await makePage(link, inputs)).toMatchObject({ status: 200 });
  expect(page?.body).not.toMatch(/https?:|<script|src=/);
});

test('other paths have no page', () => {
  for (const path of ['', '/statuses', '/Status', '/status/', '//', '__proto__', '/constructor', '/../status'])
    expect(makePage(path, inputs), path).toBeUndefined();
  expect(NOT_FOUND).toEqual(
    textPage(404, 'There is no such page. Those there are: / /healthz /readyz /status /metrics'),
  );
});
