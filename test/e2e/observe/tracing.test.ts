import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { Collector } from '../kit/collector.ts';
import { pause, until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { Sluice } from '../kit/sluice.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

/** A pod that tells the headers of its requests, and answers after a time. */
async function startPod(workMs: number) {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((asked, answer) => {
    seen.push(asked.headers);
    setTimeout(() => answer.end('done'), workMs);
  });
  return { address: await listenUntilTestEnds(server), seen };
}

async function start(pod: string, tracing: object | undefined, queue: object = {}): Promise<Sluice> {
  const sluice = await Sluice.start({
    routes: {
      tracing,
      services: { codec: { static: [pod], limit: 1, queue } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    },
  });
  onTestFinished(async () => {
    await sluice.stop();
  });
  return sluice;
}

function send(port: number, headers: Record<string, string> = {}, leaveAfter?: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/job', headers, agent: false });
    sent.on('error', () => resolve(undefined));
    sent.on('response', (response) => {
      const id = response.headers['x-request-id'];
      response.resume();
      response.on('end', () => resolve(typeof id === 'string' ? id : undefined));
    });
    sent.end();
    if (leaveAfter !== undefined) setTimeout(() => sent.destroy(), leaveAfter);
  });
}

const ms = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1000n) / 1000;

test('a trace of a client goes on: the request, its wait, and what the pod gets to know', async () => {
  const collector = await Collector.start();
  const pod = await startPod(500);
  const sluice = await start(pod.address, { otlp: collector.address });
  const first = send(sluice.port);
  await until(() => pod.seen.length === 1, { what: 'the first at the pod' });
  const began = Date.now();
  const traced = { traceparent: `00-${TRACE}-${SPAN}-01`, 'x-request-id': 'my-own' };
  expect(await send(sluice.port, traced)).toBe('my-own');
  await first;

  const server = await collector.span('the request', ({ parentSpanId }) => parentSpanId === SPAN);
  expect(server).toMatchObject({ name: 'ingress', traceId: TRACE, kind: 2, resource: { 'service.name': 'sluice' } });
  expect(server.attributes).toMatchObject({ 'http.status_code': '200', upstream_cluster: 'codec' });
  const wait = await collector.span('the wait', ({ name }) => name === 'wait for a slot');
  expect(wait).toMatchObject({
    traceId: TRACE,
    parentSpanId: server.spanId,
    kind: 1,
    resource: { 'service.name': 'sluice' },
    attributes: { 'sluice.service': 'codec', 'sluice.pod': pod.address, 'sluice.place': 1 },
  });
  expect(wait.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(wait.spanId).not.toBe(server.spanId);
  const length = ms(wait.endTimeUnixNano) - ms(wait.startTimeUnixNano);
  expect(length).toBeGreaterThan(200);
  expect(wait.attributes['sluice.wait_ms']).toBeCloseTo(length, 0);
  // It lies within the request, at its beginning.
  expect(ms(wait.startTimeUnixNano)).toBeGreaterThan(began - 50);
  expect(Math.abs(ms(wait.startTimeUnixNano) - ms(server.startTimeUnixNano))).toBeLessThan(30);
  expect(ms(server.endTimeUnixNano)).toBeGreaterThan(ms(wait.endTimeUnixNano) + 450);
  // The pod's own spans hang on that of the request.
  expect(pod.seen[1]).toMatchObject({ traceparent: `00-${TRACE}-${server.spanId}-01`, 'x-request-id': 'my-own' });
  // The first had its slot at once, and began a trace of its own.
  const other = await collector.span('the first request', ({ traceId }) => traceId !== TRACE);
  expect(other.parentSpanId).toBe('');
  expect(collector.spans.filter(({ name }) => name === 'wait for a slot')).toHaveLength(1);
});

test('who waits in vain is in the trace of its client; what is not to be kept is not told', async () => {
  const collector = await Collector.start();
  const pod = await startPod(1500);
  const sluice = await start(pod.address, { otlp: collector.address, sample: 0 });
  const first = send(sluice.port);
  await until(() => pod.seen.length === 1, { what: 'the first at the pod' });
  const unsampled = send(sluice.port, { traceparent: `00-${TRACE}-${SPAN}-00` }, 200);
  await send(sluice.port, { traceparent: `00-${TRACE}-${SPAN}-01` }, 400);
  await Promise.all([first, unsampled]);
  const wait = await collector.span('the wait', ({ name }) => name === 'wait for a slot');
  expect(wait).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
  expect(wait.attributes).not.toHaveProperty('sluice.pod');
  expect(ms(wait.endTimeUnixNano) - ms(wait.startTimeUnixNano)).toBeGreaterThan(300);
  await collector.span('the request', ({ name }) => name !== 'wait for a slot');
  expect(collector.spans.map(({ traceId }) => traceId)).toEqual([TRACE, TRACE]);
});

test('without tracing a traceparent passes through', async () => {
  const pod = await startPod(10);
  const sluice = await start(pod.address, undefined);
  await send(sluice.port, { traceparent: `00-${TRACE}-${SPAN}-01` });
  expect(pod.seen[0]).toMatchObject({ traceparent: `00-${TRACE}-${SPAN}-01` });
});

test('a collector that is away costs spans, and no request', async () => {
  const pod = await startPod(50);
  const sluice = await start(pod.address, { otlp: '127.0.0.1:1' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(sluice.port)));
  expect(answers.filter((id) => id !== undefined)).toHaveLength(20);
  await pause(1500);
  expect(await send(sluice.port)).toBeDefined();
});
