import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sluice } from '#xds';
import { seeded } from '../e2e/kit/random.ts';
import { CODE } from './kit/bootstrap.ts';
import { WasmHost } from './kit/wasm-host.ts';

const { ControlMessage } = sluice.queue.v1;
const code = new WebAssembly.Module(readFileSync(CODE));
const MIB = 1024 * 1024;
const ejection = { consecutiveGateway: 3, baseMs: 1000, maxMs: 5000 };
const settings = { queueMax: 1_000_000, fullStatus: 429, abortHoldMs: 5, ejection };

/** A worker's VM whose stream is open and welcome. */
function connected(control: Partial<sluice.queue.v1.IPluginConfig> = {}): WasmHost {
  const host = new WasmHost(code, control);
  host.pass(5);
  host.arriveAtSelf();
  for (let i = 0; i < 100 && !host.isStreamOpen; i++) host.pass(10);
  host.send({ welcome: { heartbeatMs: 300, reportMs: 100, deadAfterMs: 3000 } });
  return host;
}

function service(name: string, pods: number): sluice.queue.v1.IService {
  const list = Array.from({ length: pods }, (_, index) => ({
    address: `10.0.${index >> 8}.${index & 255}:8080`,
    limit: 1,
  }));
  return { name, settings, pods: list };
}

/** One request from its headers to its end. */
function serve(host: WasmHost, name: string): void {
  const { context } = host.request(name, { 'user-agent': 'test' });
  const address = host.headers.get(context)?.['x-sluice-pod'] ?? '';
  const { context: tried } = host.try(context, address);
  host.connect(tried);
  host.answer(tried, { ':status': '200' }, false);
  host.answer(context, { ':status': '200' }, false);
  host.body(context, true);
  host.done(tried);
  host.done(context);
}

test('a request takes no memory: 100,000 of them', () => {
  const host = connected();
  host.send({ service: service('work', 10) });
  for (let i = 0; i < 1000; i++) serve(host, 'work');
  // Reports as well have had their room by then.
  host.pass(2000);
  const before = host.memory;
  for (let i = 0; i < 100_000; i++) {
    serve(host, 'work');
    if (i % 1000 === 0) host.pass(20);
    if (i % 5000 === 0) host.sent = [];
  }
  expect(host.memory).toBe(before);
  expect(host.memory).toBeLessThan(1 * MIB);
});

test('headers of pods that are much too long take no memory', () => {
  const host = connected();
  const long = 'x'.repeat(40_000);
  const jobs = { jobStatus: 202, jobTimeoutMs: 60_000, jobHeader: 'sluice-job' };
  host.send({ service: { ...service('work', 10), settings: { ...settings, ...jobs } } });
  const one = (headers: Record<string, string>) => {
    const { context } = host.request('work');
    const { context: tried } = host.try(context, host.headers.get(context)?.['x-sluice-pod'] ?? '');
    host.connect(tried);
    host.answer(tried, headers, true);
    host.answer(context, headers, true);
    host.done(tried);
    host.done(context);
  };
  const both = () => {
    one({ ':status': '200', 'content-type': 'application/grpc', 'grpc-status': long });
    one({ ':status': '202', 'sluice-job': long });
    host.pass(60_000);
    host.sent = [];
  };
  for (let i = 0; i < 10; i++) both();
  const before = host.memory;
  for (let i = 0; i < 200; i++) both();
  expect(host.memory).toBe(before);
});

test('services and pods that come and go leave no memory behind', () => {
  const host = connected();
  const round = (count: number) => {
    for (let i = 0; i < count; i++) {
      host.send({ service: service(`service-${i}`, 20) });
      host.send({ removeService: { name: `service-${i}` } });
      host.pass(1);
      host.sent = [];
    }
  };
  round(300);
  const before = host.memory;
  round(3000);
  expect(host.memory).toBe(before);
});

// A VM's memory doubles whenever it is full: what it has is up to twice what it needs, by where the doubling began.
test.each([
  [0, 200_000, 96],
  [1_000_000_000, 500_000, 192],
])('requests_max %i: %i requests may wait; one more is told that it cannot be served', (requestsMax, places, most) => {
  const host = connected({ requestsMax });
  host.send({ service: service('work', 0) });
  for (let i = 0; i < places; i++) host.request('work');
  expect(host.replies).toHaveLength(0);
  host.request('work');
  expect(host.replies[0]).toMatchObject({ status: 503, details: 'sluice_too_many_requests' });
  expect(host.memory).toBeLessThanOrEqual(most * MIB);
  host.replies = [];
  host.send({ service: service('work', 10) });
  expect(host.resumed).toHaveLength(10);
});

test('5,000 services with 10 pods each: known in well under a second, in little memory', { timeout: 60_000 }, () => {
  const host = connected();
  const messages = Array.from({ length: 5000 }, (_, index) =>
    ControlMessage.encode({ sequence: index + 2, service: service(`namespace/service-${index}`, 10) }).finish(),
  );
  const before = performance.now();
  for (const message of messages) host.sendBytes(message);
  const took = performance.now() - before;
  console.log(`5,000 services × 10 pods: ${took.toFixed(0)} ms, ${(host.memory / MIB).toFixed(1)} MiB`);
  expect(took).toBeLessThan(5000);
  expect(host.memory).toBeLessThanOrEqual(64 * MIB);
  // All of it is in the hello of another stream.
  host.sent = [];
  host.breakStream();
  for (let i = 0; i < 100 && !host.sent.some(({ helloEnd }) => helloEnd); i++) host.pass(10);
  const members = host.sent.flatMap(({ memberService }) => (memberService ? [memberService] : []));
  expect([members.length, members[77]?.pods?.length, host.sent.at(-1)?.helloEnd]).toEqual([5000, 10, {}]);
});

test('more services and pods than there is room for are refused, and nothing ends', { timeout: 120_000 }, () => {
  const host = connected();
  for (let i = 0; i < 20_000; i++) host.send({ service: service(`s${i}`, 0) });
  host.sent = [];
  host.send({ service: service('one-more', 0) });
  expect(host.sent.find(({ rejected }) => rejected)?.rejected?.reason).toBe('too many services or pods');
  host.request('unheard-of');
  expect(host.replies.at(-1)?.details).toBe('sluice_too_many_requests');
  for (let i = 0; i < 45; i++) host.send({ service: service(`s${i}`, 10_000) });
  expect(host.sent.some(({ rejected }) => rejected)).toBe(true);
  expect(host.memory).toBeLessThan(448 * MIB);
  host.replies = [];
  serve(host, 's3');
  expect(host.replies).toHaveLength(0);
});

test('statistics: for so many names, also where they come and go; of one that comes again they go on', () => {
  const host = connected({ statisticsMax: 3 });
  const round = (name: string) => {
    host.send({ service: service(name, 2) });
    serve(host, name);
    host.pass(150);
    host.send({ heartbeat: {} });
    host.send({ removeService: { name } });
    host.pass(150);
    host.send({ heartbeat: {} });
  };
  for (let i = 0; i < 10; i++) round(`service-${i}`);
  for (let i = 0; i < 5; i++) round('service-1');
  expect(new Set(host.statistics).size).toBe(3 * 18);
  expect(host.statistics).toHaveLength(3 * 18);
  expect(host.statistic('sluice_queue_answered.service-1')).toBe(6);
  expect(host.statistic('sluice_queue_slots.service-1')).toBe(0);
  host.send({ service: service('service-2', 2) });
  host.pass(150);
  expect(host.statistic('sluice_queue_slots.service-2')).toBe(2);
});

test('while Sluice says nothing only so much is sent; with it everything comes', () => {
  const host = connected();
  for (let i = 0; i < 1000; i++) host.send({ service: service(`namespace/service-${i}`, 10) });
  host.pass(200);
  host.send({ heartbeat: {} });
  host.sent = [];
  const size = () => {
    const bytes = host.sent.map((message) => sluice.queue.v1.FilterMessage.encode(message).finish().length);
    return bytes.reduce((sum, each) => sum + each, 0);
  };
  for (let i = 0; i < 8; i++) {
    for (let k = 0; k < 1000; k += 1) serve(host, `namespace/service-${k}`);
    host.pass(100);
  }
  expect(size()).toBeGreaterThan(250_000);
  expect(size()).toBeLessThan(350_000);
  host.sent = [];
  for (let i = 0; i < 10; i++) {
    host.send({ heartbeat: {} });
    host.pass(150);
  }
  const totals = host.sent.flatMap(({ report }) => report?.services ?? []);
  expect(totals.find(({ name }) => name === 'namespace/service-9')?.counts?.answered).toEqual(
    totals.find(({ name }) => name === 'namespace/service-999')?.counts?.answered,
  );
  expect(new Set(totals.map(({ name }) => name)).size).toBe(1000);
  expect(Number(totals[0]?.counts?.answered)).toBe(8);
  // Silence for longer than `dead_after_ms` ends the stream.
  host.pass(3100);
  expect(host.sent.filter(({ hello }) => hello)).toHaveLength(1);
});

test('no message of Sluice ends the VM: 200,000 that are broken in some way', { timeout: 120_000 }, () => {
  const random = seeded(11);
  const any = (bound: number) => Math.floor(random() * bound);
  const sound: sluice.queue.v1.IControlMessage[] = [
    { welcome: { heartbeatMs: 300, reportMs: 100, deadAfterMs: 100_000_000 } },
    { service: service('work', 5) },
    { service: { name: 'other', settings: { queueMax: 3, queueTimeoutMs: 50 }, pods: [{ address: '10.0.0.1:80' }] } },
    { podsDelta: { name: 'work', set: [{ address: '10.0.0.9:80', limit: 3 }], remove: ['10.0.0.1:8080'] } },
    { removeService: { name: 'other' } },
    { listWaiting: { query: 1, service: 'work', most: 10 } },
    { cancelRequest: { service: 'work', id: 101 } },
    { synced: {} },
    { heartbeat: {} },
  ];
  const host = connected();
  let refused = 0;
  for (let i = 0; i < 200_000; i++) {
    const bytes = Uint8Array.from(ControlMessage.encode({ sequence: i, ...sound[any(sound.length)] }).finish());
    for (let k = any(4); k > 0; k--) bytes[any(bytes.length)] = any(256);
    host.sendBytes(any(3) === 0 ? bytes.subarray(0, any(bytes.length + 1)) : bytes);
    if (!host.isStreamOpen) host.isStreamOpen = true;
    if (any(4) === 0) host.request(any(2) === 0 ? 'work' : 'other');
    if (i % 50 !== 0) continue;
    host.pass(any(100));
    refused += host.sent.filter(({ rejected }) => rejected).length;
    host.sent = [];
    for (const { context } of host.replies.splice(0)) host.done(context);
    for (const context of host.resumed.splice(0)) host.done(context);
  }
  expect(refused).toBeGreaterThan(1000);
  expect(host.memory).toBeLessThan(16 * MIB);
  // What came of it: a service that is sent now works.
  host.send({ service: service('work', 3) });
  host.pass(50);
  serve(host, 'fresh');
});

test('a configuration that cannot be read is refused, and what was before stays', () => {
  const host = connected();
  host.send({ service: service('work', 1) });
  expect(host.configureBytes(2, Uint8Array.of(0x0a, 0x7f))).toBe(0);
  expect(host.configureBytes(2, new Uint8Array())).toBe(0);
  expect(host.configure(2, { xdsCluster: 'other' })).toBe(0);
  host.pass(200);
  expect(host.isStreamOpen).toBe(true);
  serve(host, 'work');
  expect(host.replies).toEqual([]);
});

test('a VM whose configurations were all replaced ends what it has without a tick', () => {
  const host = connected();
  host.send({ service: service('work', 1) });
  const first = host.request('work');
  const second = host.request('work');
  const third = host.request('work');
  expect([first.goesOn, second.goesOn, third.goesOn]).toEqual([true, false, false]);
  host.retire();
  expect(host.tickAt).toBe(Number.POSITIVE_INFINITY);
  host.done(first.context, 0x4000);
  expect(host.resumed).toEqual([second.context]);
  host.answerLocally(second.context, 503, 0x2);
  expect(host.resumed).toEqual([second.context, third.context]);
  const alive = [...host.shared].find(([key]) => key.startsWith('sluice.alive.'))?.[1].value;
  expect(alive?.slice(0, 4)).toEqual(new Uint8Array(4).fill(0xff));
});

test('Envoy starts the VM once more for each plugin that comes later: it stays the same VM', () => {
  const host = connected();
  const alive = () => [...host.shared.keys()].filter((key) => key.startsWith('sluice.alive.'));
  host.pass(1000);
  const before = alive();
  expect(before).toHaveLength(1);
  host.call('proxy_on_context_create', 99, 0);
  host.call('proxy_on_vm_start', 99, 0);
  host.configure(99, { role: sluice.queue.v1.Role.ROLE_TRY });
  host.pass(1000);
  expect(alive()).toEqual(before);
});
