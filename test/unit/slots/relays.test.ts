import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { makeLogger } from '../../../src/base/log.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import type { CoordinatorMessage } from '../../../src/slots/coordinator.ts';
import type { LinkFault } from '../../../src/slots/link.ts';
import type { Peer } from '../../../src/slots/peer.ts';
import type { RelayListener } from '../../../src/slots/relay-channel.ts';
import {
  type FromCoordinator,
  type FromFollower,
  readFromFollower,
  writeFromCoordinator,
} from '../../../src/slots/relay-messages.ts';
import { Relays } from '../../../src/slots/relays.ts';

const CODEC = 'codec' as ServiceName;

/** One stream that was opened to the coordinator. */
interface Opened {
  readonly listener: RelayListener;
  readonly heard: FromFollower[];
  isEnded: boolean;
}

/** The streams of a following Sluice, with a coordinator and filters that are made up. */
function world() {
  const clock = new FakeClock();
  const opened: Opened[] = [];
  const givenUp: string[] = [];
  const link = {
    isOpen: true,
    since: 0,
    fault: undefined as LinkFault | undefined,
    coordinator: 'host:18000',
    shares: () => undefined,
    tell: () => true,
    stop() {},
  };
  const relays = new Relays({
    clock,
    log: makeLogger('silent'),
    address: 'sluice-1:18000',
    dial(_, listener) {
      const stream: Opened = { listener, heard: [], isEnded: false };
      opened.push(stream);
      return {
        write: (bytes) => void stream.heard.push(readFromFollower(bytes)),
        end() {
          stream.isEnded = true;
        },
      };
    },
    link,
    name: 'sluice-2',
    jobsOf: () => [{ service: CODEC, address: 'p:1', id: 'job', slots: 2 }],
    random: () => 1,
    givenUp: ({ node }) => givenUp.push(node),
    changed: () => {},
  });
  onTestFinished(() => relays.stop());
  const last = () => opened.at(-1) as Opened;
  return {
    clock,
    relays,
    link,
    opened,
    givenUp,
    last,
    say(message: FromCoordinator) {
      for (const bytes of writeFromCoordinator(message)) last().listener.message(bytes);
    },
    filter(node = 'edge') {
      const said: CoordinatorMessage[] = [];
      const ends: string[] = [];
      const asked: string[] = [];
      const pods = new Set(['p:1']);
      const peer: Peer = {
        hello: { node, epoch: '18446744073709551615', process: '7', stream: 3, shares: true },
        via: undefined,
        services: [CODEC],
        usable: () => new Set(pods),
        say: (messages) => said.push(...messages),
        askEnded: (epoch) => asked.push(epoch),
        end(reason) {
          ends.push(reason);
          relays.close(peer);
        },
      };
      return { peer, said, ends, asked, pods };
    },
  };
}

const WELCOME = { kind: 'welcome', heartbeatMs: 300, deadAfterMs: 1000 } as const;
const SHARE = { kind: 'say', messages: [{ kind: 'welcome', term: 9 }] } as const;
const HOLDING = {
  kind: 'holding',
  services: [
    {
      service: 'codec',
      held: [['p:1', 2]],
      waiting: [
        [4, 1.5, undefined],
        [5, 0, 'p:1'],
      ],
    },
  ],
  isComplete: true,
} as const;

test('what is said of slots goes both ways once the coordinator has told its term, and nothing before', () => {
  const { relays, say, last, filter } = world();
  const { peer, said, asked, pods } = filter();
  relays.open(peer);
  const { heard } = last();
  expect(heard).toEqual([
    {
      kind: 'hello',
      protocol: 1,
      ...peer.hello,
      sluice: 'sluice-2',
      jobs: [{ service: 'codec', address: 'p:1', id: 'job', slots: 2 }],
    },
    { kind: 'usable', services: [['codec', new Set(['p:1'])]] },
  ]);
  relays.tell(peer, HOLDING);
  say(WELCOME);
  expect([heard.length, said, relays.isKnown(peer)]).toEqual([2, [], false]);
  say(SHARE);
  relays.tell(peer, HOLDING);
  expect(said).toEqual([{ kind: 'welcome', term: 9 }]);
  expect(heard.at(-1)).toEqual(HOLDING);
  expect([relays.isKnown(peer), relays.state()]).toMatchObject([true, { isConnected: true }]);
  const changes = [
    { kind: 'waits', service: 'codec', request: 6, age: 0.25, pod: 'p:1' },
    { kind: 'left', service: 'codec', request: 6 },
    { kind: 'released', service: 'codec', pod: 'p:1' },
  ] as const;
  relays.tell(peer, { kind: 'changes', changes });
  expect(heard.at(-1)).toEqual({ kind: 'changes', changes });
  const messages: readonly CoordinatorMessage[] = [
    { kind: 'grant', service: 'codec', pod: 'p:1', request: 4 },
    { kind: 'recall', service: 'codec', pod: 'p:1', slots: 1 },
    { kind: 'oldest elsewhere', service: 'codec', age: 2.5 },
    { kind: 'oldest elsewhere', service: 'codec', age: undefined },
    { kind: 'acknowledged', service: 'codec', slots: 3 },
    { kind: 'alone', alone: false },
  ];
  say({ kind: 'say', messages });
  expect(said.slice(1)).toEqual(messages);
  say({ kind: 'ask ended', epoch: '5' });
  expect(asked).toEqual(['5']);
  for (const event of [
    { kind: 'ended', ended: '5' },
    { kind: 'job', event: { service: CODEC, address: 'p:1', id: 'j', kind: 'timed out', slots: 1 } },
  ] as const) {
    relays.tell(peer, event);
    expect(heard.at(-1)).toEqual(event);
  }
  // Only what has changed is told.
  const before = heard.length;
  relays.tell(peer, { kind: 'usable', services: [CODEC] });
  expect(heard).toHaveLength(before);
  pods.clear();
  relays.tell(peer, { kind: 'usable', services: [CODEC] });
  expect(heard.at(-1)).toEqual({ kind: 'usable', services: [['codec', new Set()]] });
});

test('a coordinator that is away is tried again and again, and the filter keeps its stream; that is told after a while', async () => {
  const { relays, clock, opened, last, say, filter } = world();
  const { peer, ends, said } = filter();
  relays.open(peer);
  const tries = async (ms: number) => {
    const before = opened.length;
    for (let at = 0; at < ms; at += 10) {
      if (!last().isEnded) last().listener.closed('nobody listens', false);
      await clock.advance(10);
    }
    return opened.length - before;
  };
  expect(await tries(1500)).toBe(4);
  expect(relays.problems()).toEqual([]);
  // Not less often than each second.
  expect(await tries(10_000)).toBe(10);
  expect(relays.problems()).toMatchObject([{ subject: 'coordinator sluice-1:18000', severity: 'error' }]);
  expect(relays.problems()[0]?.message).toMatch(
    /^does not answer since \d\d:\d\d:\d\d UTC \(nobody listens\): each Envoy goes on/,
  );
  expect([ends, said]).toEqual([[], []]);
  await clock.advance(1000);
  say(WELCOME);
  say(SHARE);
  expect([relays.problems(), relays.state().isConnected]).toEqual([[], true]);
});

test('when the stream to the coordinator breaks, or is silent, the stream of the filter ends', async () => {
  const { relays, clock, opened, last, say, filter } = world();
  const { peer, ends } = filter();
  relays.open(peer);
  say(WELCOME);
  say(SHARE);
  last().listener.closed('reset', false);
  expect(ends).toEqual(['the stream to the coordinator is over: reset']);
  const next = filter();
  relays.open(next.peer);
  say(WELCOME);
  say(SHARE);
  for (let at = 0; at < 2000; at += 150) {
    if (at < 900) say({ kind: 'heartbeat' });
    await clock.advance(150);
  }
  expect(next.ends).toEqual(['the stream to the coordinator is over: nothing is heard of it']);
  // While it lasted it was spoken to.
  expect(last().heard.filter(({ kind }) => kind === 'heartbeat').length).toBeGreaterThan(2);
  expect([opened.length, last().isEnded]).toEqual([2, true]);
});

test('one that does not answer at all is given up, and tried on another connection', async () => {
  const { relays, clock, opened, filter } = world();
  const { peer, ends } = filter();
  relays.open(peer);
  await clock.advance(2900);
  expect(opened).toHaveLength(1);
  await clock.advance(500);
  expect([opened.length, opened[0]?.isEnded, ends]).toEqual([2, true, []]);
});

test('what the coordinator refuses, gives up or lacks is told', async () => {
  const { relays, clock, last, say, filter, givenUp } = world();
  const { peer, said } = filter();
  relays.open(peer);
  for (let at = 0; at < 3200; at += 10) {
    if (!last().isEnded) last().listener.closed('edge is another one', true);
    await clock.advance(10);
  }
  expect(relays.problems()).toMatchObject([
    {
      subject: 'Envoy edge',
      message: expect.stringContaining('sluice-1:18000 does not share slots with it: edge is another one'),
    },
  ]);
  await clock.advance(1000);
  say(WELCOME);
  say({ kind: 'lacks', services: [CODEC] });
  say(SHARE);
  await clock.advance(100);
  expect(relays.problems()).toEqual([]);
  for (let at = 0; at < 3000; at += 500) {
    say({ kind: 'heartbeat' });
    await clock.advance(500);
  }
  expect(relays.problems()).toMatchObject([{ subject: 'service codec', severity: 'warning' }]);
  say({ kind: 'lacks', services: [] });
  expect(relays.problems()).toEqual([]);
  say({ kind: 'say', messages: [{ kind: 'dead' }] });
  expect([said.at(-1), givenUp]).toEqual([{ kind: 'dead' }, ['edge']]);
});

test('without a filter it is the link that finds out that the coordinator is away; what it alone lacks is told apart', async () => {
  const { relays, link, clock, filter, say } = world();
  expect([relays.state().isConnected, relays.problems()]).toEqual([true, []]);
  const fault = { reason: 'nobody listens there', fix: 'start it', isRefusal: false, since: clock.now() };
  Object.assign(link, { isOpen: false, fault });
  await clock.advance(2900);
  expect(relays.problems()).toEqual([]);
  await clock.advance(200);
  expect(relays.state().isConnected).toBe(false);
  expect(relays.problems()).toMatchObject([
    { severity: 'error', subject: 'coordinator sluice-1:18000', fix: 'start it' },
  ]);
  relays.open(filter().peer);
  say(WELCOME);
  say(SHARE);
  expect(relays.problems()).toMatchObject([
    { severity: 'warning', message: expect.stringContaining('does not exchange orders with this Sluice: nobody') },
  ]);
  // One of an older version has no link, and shares slots all the same.
  expect(relays.state().isConnected).toBe(false);
  Object.assign(link, { fault: { ...fault, isRefusal: true } });
  expect(relays.state().isConnected).toBe(true);
});
