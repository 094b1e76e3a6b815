import { afterEach, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { type Answer, sortIps } from '../../../../src/endpoints/dns/answers.ts';
import { DnsSource } from '../../../../src/endpoints/dns/source.ts';
import type { Locator } from '../../../../src/model/locator.ts';

const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

const codec = { kind: 'dns', host: 'codec', port: 80 } as const satisfies Locator;

/** A running source whose hosts answer what `answers` says at that moment. */
function start(answers: Record<string, Answer>, locators: readonly Locator[] = [codec]) {
  const clock = new FakeClock();
  const asked: { host: string; at: number }[] = [];
  let changes = 0;
  const counted: string[] = [];
  const source = new DnsSource({
    clock,
    count: (event) => counted.push(event),
    resolverFor: (host) => ({
      async ask() {
        asked.push({ host, at: clock.now() });
        return answers[host] ?? { kind: 'absent' };
      },
      cancel() {},
    }),
  });
  source.want(locators);
  const end = new AbortController();
  const running = source.run(end.signal, () => {
    changes += 1;
  });
  ended.push(async () => {
    end.abort();
    await running;
  });
  return { source, clock, asked, counted, changes: () => changes };
}

function ips(...list: string[]): Answer {
  return { kind: 'addresses', ips: sortIps(list) };
}

function addressesOf(source: DnsSource, locator: Locator = codec): string[] | undefined {
  const state = source.pods(locator);
  return state.kind === 'pending' ? undefined : state.value.map(({ ip, port }) => `${ip} ${port}`);
}

test('counts answers, changes and failures', async () => {
  const answers: Record<string, Answer> = { codec: ips('10.0.0.1') };
  const { clock, counted } = start(answers);
  await clock.advance(0);
  expect(counted).toEqual(['answer', 'change']);
  answers['codec'] = { kind: 'failed', reason: 'no server answers' };
  await clock.advance(2000);
  expect(counted).toEqual(['answer', 'change', 'failure']);
  answers['codec'] = ips('10.0.0.1');
  await clock.advance(2000);
  expect(counted.filter((event) => event === 'change')).toHaveLength(1);
});

test('is pending until the first answer, which is taken at once', async () => {
  const { source, clock, changes } = start({ codec: ips('10.0.0.1') });
  expect(source.pods(codec).kind).toBe('pending');
  await clock.advance(0);
  expect(source.pods(codec)).toEqual({
    kind: 'ready',
    value: [{ ip: '10.0.0.1', port: 80, state: 'ready' }],
    problems: [],
  });
  expect(changes()).toBe(1);
});

test('asks every 2 s, every 0.5 s while a change is confirmed, and has it 2 s after it saw it', async () => {
  const answers: Record<string, Answer> = { codec: ips('10.0.0.1') };
  const { source, clock, asked, changes } = start(answers);
  await clock.advance(1000);
  const first = source.pods(codec);
  answers['codec'] = ips('10.0.0.1', '10.0.0.2');
  await clock.advance(2999);
  expect(source.pods(codec)).toEqual(first);
  expect(changes()).toBe(1);
  await clock.advance(1);
  expect(addressesOf(source)).toEqual(['10.0.0.1 80', '10.0.0.2 80']);
  expect(changes()).toBe(2);
  await clock.advance(4000);
  const start0 = asked[0]?.at ?? 0;
  expect(asked.map(({ at }) => at - start0)).toEqual([0, 2000, 2500, 3000, 3500, 4000, 6000, 8000]);
});

test('keeps the pods as stale since the first failure, says why, and is ready again with the next answer', async () => {
  const answers: Record<string, Answer> = { codec: ips('10.0.0.1') };
  const { source, clock } = start(answers);
  await clock.advance(1000);
  const pods = source.pods(codec);
  answers['codec'] = { kind: 'failed', reason: 'A of codec: no DNS server answered in time' };
  await clock.advance(1000);
  const since = clock.now();
  await clock.advance(30_000);
  answers['codec'] = { kind: 'empty' };
  await clock.advance(10_000);
  expect(source.pods(codec)).toMatchObject({ kind: 'stale', since });
  answers['codec'] = { kind: 'failed', reason: 'A of codec: no DNS server answered in time' };
  await clock.advance(20_000);
  expect(source.pods(codec)).toEqual({
    kind: 'stale',
    value: pods.kind === 'ready' ? pods.value : [],
    since,
    problems: [expect.objectContaining({ subject: 'dns codec', message: expect.stringContaining('in time') })],
  });
  answers['codec'] = ips('10.0.0.1');
  await clock.advance(2000);
  expect(source.pods(codec)).toEqual(pods);
});

test('has no pods, and says so, once the name does not exist in five answers', async () => {
  const answers: Record<string, Answer> = { codec: ips('10.0.0.1') };
  const { source, clock } = start(answers);
  await clock.advance(0);
  answers['codec'] = { kind: 'absent' };
  await clock.advance(3999);
  expect(addressesOf(source)).toEqual(['10.0.0.1 80']);
  await clock.advance(1);
  expect(source.pods(codec)).toMatchObject({ kind: 'ready', value: [], problems: [{ severity: 'warning' }] });
});

test('an unknown IPv6 half is a mere warning where there never was an IPv6 pod', async () => {
  const unknown = { type: 'AAAA', reason: 'AAAA of codec: SERVFAIL' } as const;
  const answers: Record<string, Answer> = { codec: { kind: 'addresses', ips: ['10.0.0.1'], unknown } };
  const { source, clock } = start(answers);
  await clock.advance(0);
  expect(source.pods(codec)).toMatchObject({ kind: 'ready', problems: [{ severity: 'warning' }] });
  answers['codec'] = ips('10.0.0.1', 'fd00::1');
  await clock.advance(10_000);
  answers['codec'] = { kind: 'addresses', ips: ['10.0.0.1'], unknown };
  await clock.advance(2000);
  expect(source.pods(codec)).toMatchObject({ kind: 'stale', problems: [{ severity: 'warning' }] });
  expect(addressesOf(source)).toEqual(['10.0.0.1 80', 'fd00::1 80']);
});

test('asks once for a host with two ports, and the array stays the same while the pods do', async () => {
  const other: Locator = { ...codec, host: 'CODEC', port: 81 };
  const { source, clock, asked } = start({ codec: ips('10.0.0.1') }, [codec, other]);
  await clock.advance(0);
  expect(asked).toHaveLength(1);
  expect(addressesOf(source, other)).toEqual(['10.0.0.1 81']);
  const before = [source.pods(codec), source.pods(other)];
  await clock.advance(10_000);
  const now = [source.pods(codec), source.pods(other)];
  for (const [index, state] of now.entries()) {
    const old = before[index];
    expect(state.kind === 'ready' && old?.kind === 'ready' && state.value === old.value).toBe(true);
  }
});

test('follows what is wanted as it changes, and one host does not disturb another', async () => {
  const llm: Locator = { kind: 'dns', host: 'llm', port: 80 };
  const answers: Record<string, Answer> = { codec: ips('10.0.0.1'), llm: { kind: 'failed', reason: 'x' } };
  const { source, clock, asked } = start(answers);
  await clock.advance(0);
  const kept = source.pods(codec);
  source.want([codec, llm, { kind: 'static', addresses: [] }]);
  await clock.advance(0);
  expect(source.pods(codec)).toEqual(kept);
  expect(source.pods(llm)).toMatchObject({ kind: 'pending', problems: [{ subject: 'dns llm' }] });
  source.want([llm]);
  await clock.advance(0);
  asked.length = 0;
  await clock.advance(10_000);
  expect(new Set(asked.map(({ host }) => host))).toEqual(new Set(['llm']));
  expect(source.pods(codec).kind).toBe('pending');
});
