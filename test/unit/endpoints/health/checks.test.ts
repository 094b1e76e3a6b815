import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { millis } from '../../../../src/base/duration.ts';
import { check } from '../../../../src/endpoints/health/check.ts';
import { HealthChecks } from '../../../../src/endpoints/health/checks.ts';
import type { ServiceWithPods } from '../../../../src/model/model.ts';
import type { Pod } from '../../../../src/model/pod.ts';
import { kubernetes, serviceName, serviceOf } from '../../model/routing-parts.ts';

const pod = (port: number): Pod => ({ ip: '10.0.0.1', port, state: 'ready' });

/** Checks of a service with these pods, of which those in `ill` fail. */
function world(...ports: readonly number[]) {
  const clock = new FakeClock();
  const ill = new Set<number>();
  const told: string[] = [];
  const checks = new HealthChecks({
    clock,
    check: async ({ pod: { port } }) => !ill.has(port),
    changed: (service) => told.push(service),
  });
  const service = { ...serviceOf('codec', kubernetes('codec'), 1), health: { path: '/', interval: millis(500) } };
  const follow = (...pods: readonly number[]) => {
    const one: ServiceWithPods = { service, pods: pods.map(pod), isKnown: true };
    checks.follow([one]);
  };
  follow(...ports);
  return { clock, ill, told, checks, follow, out: () => [...checks.unhealthy(serviceName('codec'))] };
}

test('a pod is out after two failures in a row, and back with one good answer', async () => {
  const { clock, ill, told, out } = world(1, 2);
  await clock.advance(0);
  ill.add(2);
  await clock.advance(500);
  expect([out(), told]).toEqual([[], []]);
  await clock.advance(500);
  expect([out(), told]).toEqual([['10.0.0.1:2'], ['codec']]);
  ill.clear();
  await clock.advance(500);
  expect([out(), told]).toEqual([[], ['codec', 'codec']]);
});

test('when none of several answers, it is the way to them that is broken: none is out', async () => {
  const { clock, ill, out } = world(1, 2);
  ill.add(1).add(2);
  await clock.advance(2000);
  expect(out()).toEqual([]);
  ill.delete(1);
  await clock.advance(1000);
  expect(out()).toEqual(['10.0.0.1:2']);
});

test('a pod that comes counts as well at first, and one that has gone is forgotten', async () => {
  const { clock, ill, follow, out } = world(1, 2);
  ill.add(2).add(3);
  await clock.advance(1000);
  expect(out()).toEqual(['10.0.0.1:2']);
  follow(1, 3);
  await clock.advance(500);
  expect(out()).toEqual([]);
  await clock.advance(500);
  expect(out()).toEqual(['10.0.0.1:3']);
});

test('services without a limit are checked by Envoy alone, and nothing is asked once it has stopped', async () => {
  const { clock, ill, checks, out } = world(1, 2);
  const balanced = { ...serviceOf('web', kubernetes('web')), health: { path: '/', interval: millis(500) } };
  checks.follow([{ service: balanced, pods: [pod(1)], isKnown: true }]);
  ill.add(1);
  await clock.advance(5000);
  expect([out(), [...checks.unhealthy(serviceName('web'))]]).toEqual([[], []]);
  checks.stop();
});

test.each(['http1', 'h2c'] as const)('asks over %s: 200 in time is good, all else is not', async (protocol) => {
  const answer = (url: string | undefined) => (url === '/well' ? 200 : 503);
  const server =
    protocol === 'http1'
      ? createServer((request, response) => response.writeHead(answer(request.url)).end())
      : createHttp2Server((request, response) => void response.writeHead(answer(request.url)).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound');
  const ip = '127.0.0.1';
  const ask = (path: string) => check({ pod: { ip, port: bound.port }, path, protocol, timeoutMs: 2000 });
  expect([await ask('/well'), await ask('/ill')]).toEqual([true, false]);
  expect(await check({ pod: { ip, port: 1 }, path: '/', protocol, timeoutMs: 2000 })).toBe(false);
});
