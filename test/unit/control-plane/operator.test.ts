import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Operator } from '../../../src/control-plane/operator.ts';
import { OverrideStore } from '../../../src/control-plane/override-store.ts';
import type { WaitingAnswer, WaitingAt } from '../../../src/control-plane/waiting-requests.ts';
import { exampleModel, exampleRouting } from '../status/example.ts';

const MEMBER = { node: 'edge-1', epoch: '1' };
const waits = (id: number, member = MEMBER): WaitingAt => ({
  id,
  member,
  ageMs: 1000 - id,
  method: 'GET',
  path: `/x/${id}`,
  client: '10.0.0.9:1',
  requestId: `r-${id}`,
  class: '',
  tenant: '',
});

function start(
  answer: WaitingAnswer = { requests: [waits(1), waits(2)], waiting: 2, silent: 0 },
  isFilterOff = false,
  model = exampleModel(exampleRouting()),
  where: string | undefined = undefined,
) {
  const toldOthers: string[] = [];
  const told: string[] = [];
  const cancelled: number[] = [];
  const store = new OverrideStore({ path: undefined, clock: new FakeClock(), changed: () => {}, onFault: () => {} });
  const operator = new Operator({
    model: () => model,
    store,
    tellOthers(orders) {
      toldOthers.push(...orders.map(({ kind, what, isTakenBack }) => `${isTakenBack ? 'not ' : ''}${kind} ${what}`));
      return where;
    },
    waiting: { list: async () => answer, cancel: (_, { id }) => void cancelled.push(id) },
    sharing: { forget: (node) => (node === 'gone' ? 'forgotten' : node === 'here' ? 'connected' : 'unknown') },
    telemetry: { tell: ({ message }) => void told.push(message) },
    isFilterOff,
  });
  return { operator, store, told, toldOthers, cancelled };
}

test('a service is paused and resumed, by whom is told', async () => {
  const { operator, store, told } = start();
  expect(await operator.give({ kind: 'pause', service: 'codec' }, 'kim')).toMatchObject({ ok: true });
  expect([...store.current().paused.keys()]).toEqual(['codec']);
  expect(await operator.give({ kind: 'pause', service: 'codec' }, 'lee')).toMatchObject({
    value: 'codec is paused already, by kim.',
  });
  expect(await operator.give({ kind: 'resume', service: 'codec' }, 'lee')).toMatchObject({
    value: 'codec is resumed.',
  });
  expect(await operator.give({ kind: 'resume', service: 'codec' }, 'lee')).toMatchObject({
    value: 'codec was not paused.',
  });
  expect(told).toEqual(['paused by kim', 'resumed by lee']);
});

test('only what there is, and has a queue', async () => {
  const { operator } = start();
  const errors = async (kind: 'pause' | 'resume', service: string) => {
    const done = await operator.give({ kind, service }, 'kim');
    return done.ok ? undefined : done.errors;
  };
  expect(await errors('pause', 'nobody')).toEqual(['There is no service nobody.']);
  expect(await errors('pause', 'web')).toEqual(['web has no limit, and so no queue.']);
  expect(await errors('pause', '__proto__')).toEqual(['There is no service __proto__.']);
  expect(await operator.queue('web', 10)).toMatchObject({ ok: false });
});

test('a pod is drained by its address or by its IP address, and comes back', async () => {
  const { operator, store, told } = start();
  expect(await operator.give({ kind: 'drain', pod: '10.0.0.1' }, 'kim')).toMatchObject({ ok: true });
  expect(await operator.give({ kind: 'drain', pod: 'fd00::1' }, 'kim')).toMatchObject({ ok: true });
  expect([...store.current().drained.keys()]).toEqual(['10.0.0.1:80', '[fd00::1]:80']);
  expect(await operator.give({ kind: 'drain', pod: '10.0.0.7' }, 'kim')).toMatchObject({ ok: false });
  expect(await operator.give({ kind: 'drain', pod: '10.0.0.1:80' }, 'lee')).toMatchObject({
    value: '10.0.0.1:80 is drained already, by kim.',
  });
  expect(await operator.give({ kind: 'undrain', pod: '10.0.0.1' }, 'kim')).toMatchObject({ ok: true });
  expect([...store.current().drained.keys()]).toEqual(['[fd00::1]:80']);
  expect(told).toHaveLength(3);
});

test('a pod is drained by its name in Kubernetes', async () => {
  const model = exampleModel(exampleRouting());
  const services = model.services.map((one) => ({
    ...one,
    pods: one.pods.map((pod) => ({ ...pod, name: `pod-${pod.ip}` })),
  }));
  const { operator, store } = start(undefined, false, { ...model, services });
  expect(await operator.give({ kind: 'drain', pod: 'pod-10.0.0.1' }, 'kim')).toMatchObject({ ok: true });
  expect([...store.current().drained.keys()]).toEqual(['10.0.0.1:80']);
  expect(await operator.give({ kind: 'undrain', pod: 'pod-10.0.0.1' }, 'kim')).toMatchObject({ ok: true });
  expect(store.current().drained.size).toBe(0);
});

test('who waits, and one of them cancelled by its number or by its x-request-id', async () => {
  const { operator, cancelled, told } = start();
  expect(await operator.queue('codec', 10)).toMatchObject({
    value: { service: 'codec', waiting: 2, requests: [{ id: '1', path: '/x/1' }, { id: '2' }] },
  });
  expect(await operator.give({ kind: 'cancel', service: 'codec', request: '2' }, 'kim')).toMatchObject({ ok: true });
  expect(await operator.give({ kind: 'cancel', service: 'codec', request: 'r-1' }, 'kim')).toMatchObject({ ok: true });
  expect(await operator.give({ kind: 'cancel', service: 'codec', request: '9' }, 'kim')).toMatchObject({ ok: false });
  expect(cancelled).toEqual([2, 1]);
  expect(told[0]).toBe('a waiting request cancelled by kim: GET /x/2 of 10.0.0.9:1');
});

test('an Envoy that is away is forgotten; one that is connected, or is not known, is not', async () => {
  const { operator, told } = start();
  const give = async (envoy: string) => {
    const done = await operator.give({ kind: 'forget', envoy }, 'kim');
    return done.ok ? done.value : done.errors[0];
  };
  expect(await give('gone')).toContain('Envoy gone is forgotten, and its slots are free.');
  expect(await give('here')).toBe('Envoy here is connected: it has not ended.');
  expect(await give('other')).toContain('No Envoy other is away.');
  expect(told).toEqual(['forgotten by kim: it has ended, and its slots are free']);
});

test('the same number in two queue filters is two requests', async () => {
  const other = { node: 'edge-2', epoch: '7' };
  const { operator } = start({ requests: [waits(1), waits(1, other)], waiting: 2, silent: 0 });
  const listed = await operator.queue('codec', 10);
  expect(listed.ok && listed.value.requests.map(({ id }) => id)).toEqual(['1@edge-1/1', '1@edge-2/7']);
});

test('a filter that does not answer, and no filter at all', async () => {
  expect(await start({ requests: [], waiting: 0, silent: 1 }).operator.queue('codec', 1)).toMatchObject({ ok: false });
  const { operator } = start(undefined, true);
  expect(await operator.queue('codec', 1)).toMatchObject({ ok: false });
  expect(await operator.give({ kind: 'pause', service: 'codec' }, 'kim')).toMatchObject({ ok: false });
});

test('other Sluices are told of each order, and the answer says where it holds; what they order is carried out', async () => {
  const { operator, store, told, toldOthers } = start(undefined, false, undefined, 'It holds everywhere.');
  expect(await operator.give({ kind: 'pause', service: 'codec' }, 'kim')).toMatchObject({
    value: expect.stringContaining('those at its pods finish. It holds everywhere. Take it back with'),
  });
  expect(await operator.give({ kind: 'drain', pod: '10.0.0.1' }, 'kim')).toMatchObject({
    value: expect.stringContaining('It holds everywhere.'),
  });
  const [paused] = store.all();
  operator.hear(
    [{ kind: 'paused', what: 'codec', isTakenBack: true, by: 'lee', at: (paused?.at ?? 0) + 1 }],
    'sluice-2',
  );
  expect(store.current().paused.size).toBe(0);
  // It is known already.
  operator.hear(store.all(), 'sluice-2');
  expect(await operator.give({ kind: 'undrain', pod: '10.0.0.1' }, 'kim')).toMatchObject({
    value: '10.0.0.1:80 gets requests again. It holds everywhere.',
  });
  expect(toldOthers).toEqual(['paused codec', 'drained 10.0.0.1:80', 'not drained 10.0.0.1:80']);
  expect(told.filter((message) => message.includes('sluice-2'))).toEqual(['resumed by lee, as Sluice sluice-2 tells']);
});
