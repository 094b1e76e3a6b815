import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { Link } from '../../../src/slots/link.ts';
import { LINK_PATH, readLink, type ToldOrder, type ToldShares, writeLink } from '../../../src/slots/link-messages.ts';
import { LinkServer } from '../../../src/slots/link-server.ts';
import { grpcDial } from '../../../src/slots/relay-channel.ts';

const patience = { timeout: 10_000, interval: 20 };
const PAUSED: ToldOrder = { kind: 'paused', what: 'codec', isTakenBack: false, by: 'kim', at: 5 };
const DRAINED: ToldOrder = { kind: 'drained', what: '10.0.0.1:80', isTakenBack: true, by: 'lee', at: 2 ** 45 };

test('messages come through whole, and what is of a newer protocol is none', () => {
  const shares: ToldShares = { held: [{ node: 'edge', slots: 2 }], missing: 1, why: ['edge is away'] };
  for (const message of [
    { kind: 'hello', protocol: 1, sluice: 'host:1', heartbeatMs: 300, deadAfterMs: 1000 },
    { kind: 'orders', orders: [PAUSED, DRAINED] },
    {
      kind: 'shares',
      services: [
        ['codec', shares],
        ['gone', undefined],
      ],
    },
    { kind: 'heartbeat' },
    { kind: 'unknown' },
  ] as const)
    expect(readLink(writeLink(message))).toEqual(message);
});

/** A coordinator on a real port; it ends with the test. */
async function coordinator() {
  const heard: (readonly [string, readonly ToldOrder[]])[] = [];
  const shares = new Map<string, ToldShares>([['codec', { held: [{ node: 'edge', slots: 1 }], missing: 0, why: [] }]]);
  const state = { refusal: undefined as string | undefined, guard: undefined as string | undefined };
  const links = new LinkServer({
    clock: systemClock,
    name: 'first:1',
    guard: () => state.guard,
    refusal: () => state.refusal,
    orders: { all: () => [PAUSED], take: (orders, from) => void heard.push([from, orders]) },
    shares: () => shares,
  });
  const server = new Server();
  server.addService(links.definition, links.implementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  onTestFinished(() => {
    links.end();
    server.forceShutdown();
  });
  return { links, heard, shares, state, address: `127.0.0.1:${port}` };
}

function follower(address: string, name: string) {
  const heard: (readonly [string, readonly ToldOrder[]])[] = [];
  const link = new Link({
    clock: systemClock,
    log: makeLogger('silent'),
    address,
    dial: grpcDial({ credentials: () => credentials.createInsecure(), isTls: false }, LINK_PATH),
    name,
    orders: { all: () => [DRAINED], take: (orders, from) => void heard.push([from, orders]) },
    changed: () => {},
    random: Math.random,
  });
  onTestFinished(() => link.stop());
  return { link, heard };
}

test('each tells the other all orders at first, and then what is new; others that follow hear of it too', async () => {
  const { address, heard, links } = await coordinator();
  const [one, other] = [follower(address, 'second:1'), follower(address, 'third:1')];
  await expect
    .poll(() => [one.link.coordinator, one.link.isOpen, other.link.isOpen], patience)
    .toEqual(['first:1', true, true]);
  await expect.poll(() => heard.map(([from]) => from).sort(), patience).toEqual(['second:1', 'third:1']);
  expect(heard[0]?.[1]).toEqual([DRAINED]);
  expect([one.heard[0], [...links.followers].sort()]).toEqual([
    ['first:1', [PAUSED]],
    ['second:1', 'third:1'],
  ]);
  const resumed = { ...PAUSED, isTakenBack: true, at: 6 };
  expect(one.link.tell([resumed])).toBe(true);
  await expect.poll(() => other.heard.at(-1), patience).toEqual(['first:1', [resumed]]);
  expect(heard.at(-1)).toEqual(['second:1', [resumed]]);
  links.tell([PAUSED]);
  await expect.poll(() => one.heard.at(-1), patience).toEqual(['first:1', [PAUSED]]);
});

test('it is told who holds what, and remembers that while the coordinator is away', async () => {
  const { address, shares, links } = await coordinator();
  const { link } = follower(address, 'second:1');
  await expect
    .poll(() => link.shares('codec'), patience)
    .toMatchObject({ held: [{ node: 'edge', slots: 1 }], oldSince: undefined });
  shares.set('codec', { held: [], missing: 1, why: ['edge is away'] });
  await expect.poll(() => link.shares('codec')?.missing, patience).toBe(1);
  links.end();
  await expect.poll(() => link.shares('codec')?.oldSince, patience).toBeTypeOf('number');
  expect([link.isOpen, link.tell([PAUSED])]).toEqual([false, false]);
});

test('one that comes later is told all that the others were', async () => {
  const { address, shares } = await coordinator();
  const one = follower(address, 'second:1');
  await expect.poll(() => one.link.shares('codec'), patience).toBeDefined();
  const other = follower(address, 'third:1');
  await expect.poll(() => other.link.shares('codec'), patience).toEqual(one.link.shares('codec'));
  shares.set('web', { held: [], missing: 2, why: ['they are being counted'] });
  for (const { link } of [one, other]) await expect.poll(() => link.shares('web')?.missing, patience).toBe(2);
});

test('a service that leaves is forgotten', async () => {
  const { address, shares } = await coordinator();
  const { link } = follower(address, 'second:1');
  await expect.poll(() => link.shares('codec'), patience).toBeDefined();
  shares.clear();
  await expect.poll(() => link.shares('codec'), patience).toBeUndefined();
});

test('who is not welcome is told why, at first and later, and tries again', async () => {
  const { address, state, links } = await coordinator();
  state.guard = 'edge.example may not speak for any node';
  const { link } = follower(address, 'second:1');
  await expect.poll(() => link.fault, patience).toMatchObject({ reason: state.guard, isRefusal: true });
  state.guard = undefined;
  await expect.poll(() => link.isOpen, patience).toBe(true);
  state.refusal = 'this Sluice does not coordinate';
  links.review();
  await expect
    .poll(() => link.fault, patience)
    .toMatchObject({ reason: 'this Sluice does not coordinate', isRefusal: true });
  expect(links.followers).toEqual([]);
});

test('nobody listens: that is told, with what to do', async () => {
  const { link } = follower('127.0.0.1:1', 'second:1');
  await expect.poll(() => link.fault, patience).toMatchObject({ reason: 'nobody listens there', isRefusal: false });
});
