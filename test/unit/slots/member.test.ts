import { describe, expect, test } from 'vitest';
import { Member } from '../../../src/slots/member.ts';
import type { FromFilter } from '../../../src/slots/read-message.ts';
import { queueSettings, type Wanted } from '../../../src/slots/wanted.ts';
import type { Pace } from '../../../src/slots/write-message.ts';
import { kubernetes, serviceName, serviceOf } from '../model/routing-parts.ts';
import { helloOf } from './hello.ts';

const PACE: Pace = { heartbeatMs: 300, reportMs: 250, deadAfterMs: 1000 };
const CODEC = serviceName('codec');
const POD = '10.0.0.1:80';
const OTHER = '10.0.0.2:80';

/** What a member is to have of `codec`: these pods with these limits. */
function wanted(...pods: readonly (readonly [string, number])[]): Wanted {
  const settings = queueSettings(serviceOf('codec', kubernetes('codec'), 1), []) ?? expect.fail('it has a limit');
  return { kind: 'service', settings, pods: new Map(pods.map(([at, limit]) => [at, { limit, unhealthy: false }])) };
}

/** A member that has said hello, with nothing in it, and been welcomed. */
function world() {
  const member = new Member(helloOf(), PACE);
  const say = (message: FromFilter, now = 0) => member.receive(message, now, '');
  return {
    member,
    say,
    take: () => member.takeMessages().map(({ message }) => message),
    ack: (sequence: number, now = 0) => say({ kind: 'ack', sequence }, now),
  };
}

test('says nothing before the filter has said what it has; then welcome, the services, synced', () => {
  const { member, say, take } = world();
  member.want([CODEC, wanted([POD, 1])]);
  member.setSynced();
  expect(take()).toEqual([]);
  expect(say({ kind: 'hello end' }).map(({ kind }) => kind)).toEqual(['hello']);
  expect(take().map(({ kind }) => kind)).toEqual(['welcome', 'service', 'synced']);
  expect(take()).toEqual([]);
});

test('afterwards what differs, and nothing when nothing does', () => {
  const { member, say, take } = world();
  say({ kind: 'hello end' });
  member.want([CODEC, wanted([POD, 1])]);
  take();
  member.want([CODEC, wanted([POD, 1])]);
  expect(take()).toEqual([]);
  member.want([CODEC, wanted([POD, 2], [OTHER, 1])]);
  const set = [
    [POD, { limit: 2, unhealthy: false }],
    [OTHER, { limit: 1, unhealthy: false }],
  ];
  expect(take()).toEqual([{ kind: 'pods', name: 'codec', set, remove: [] }]);
  member.want([CODEC, wanted([OTHER, 1])]);
  expect(take()).toEqual([{ kind: 'pods', name: 'codec', set: [], remove: [POD] }]);
  member.want([CODEC, { kind: 'removed' }]);
  expect(take()).toEqual([{ kind: 'remove', name: 'codec' }]);
});

test('1,000 messages without an answer, and only the newest state is kept', () => {
  const { member, say, take, ack } = world();
  say({ kind: 'hello end' });
  let sent = 0;
  for (let limit = 1; limit <= 3000; limit++) {
    member.want([CODEC, wanted([POD, limit])]);
    sent += take().length;
  }
  expect(sent).toBe(1000);
  ack(1000);
  expect(take()).toEqual([
    { kind: 'pods', name: 'codec', set: [[POD, { limit: 3000, unhealthy: false }]], remove: [] },
  ]);
});

describe('how many requests a pod may have', () => {
  test('a raised limit counts at once, a lowered one when a report after it has come', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 3])]);
    expect(member.held(CODEC, POD)).toBe(3);
    take();
    ack(2, 10);
    member.want([CODEC, wanted([POD, 1])]);
    take();
    expect(member.held(CODEC, POD)).toBe(3);
    ack(3, 1010);
    expect(member.held(CODEC, POD)).toBe(3);
    say({ kind: 'heartbeat' }, 1010 + member.lagMs);
    expect(member.held(CODEC, POD)).toBe(1);
  });

  test('a filter that stands still after it has heard of a lower limit may have begun as many as before', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 3])]);
    take();
    ack(2, 10);
    member.want([CODEC, wanted()]);
    take();
    ack(3, 20);
    member.close(5000);
    expect(member.held(CODEC, POD)).toBe(3);
  });

  test('the answer to a question that was asked after that is as good as a report, one to an older question is not', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 3])]);
    take();
    ack(2, 10);
    const early = member.askWaiting(CODEC, 1, 20);
    member.want([CODEC, wanted([POD, 1])]);
    take();
    ack(4, 40);
    const late = member.askWaiting(CODEC, 1, 40);
    const answer = {
      kind: 'waiting list',
      requests: [],
      waiting: 0,
      claims: 0,
      away: 0,
      pods: [{ address: POD, inUse: 2 }],
    } as const;
    say({ ...answer, query: early }, 45);
    expect(member.held(CODEC, POD)).toBe(3);
    say({ ...answer, query: late }, 50);
    expect(member.held(CODEC, POD)).toBe(2);
  });

  test('a pod that is removed may be chosen until that is acknowledged, and counts until it is forgotten', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 1])]);
    take();
    ack(2, 0);
    member.want([CODEC, wanted()]);
    take();
    expect(member.mayChoose(CODEC, POD)).toBe(true);
    ack(3, 20);
    expect([member.mayChoose(CODEC, POD), member.held(CODEC, POD)]).toEqual([false, 1]);
    const event = { service: CODEC, address: POD, kind: 'forgotten', reason: 'none', forMs: 0 } as const;
    say({ kind: 'pod', event }, 30);
    expect(member.held(CODEC, POD)).toBe(0);
  });

  test('the word of a pod that was forgotten does not count once it is back', () => {
    const { member, say, take } = world();
    say({ kind: 'hello end' });
    for (const pods of [wanted([POD, 1]), wanted(), wanted([POD, 1])]) {
      member.want([CODEC, pods]);
      take();
    }
    const event = { service: CODEC, address: POD, kind: 'forgotten', reason: 'none', forMs: 0 } as const;
    say({ kind: 'pod', event }, 5);
    expect(member.limitOf(CODEC, POD)).toBe(1);
  });

  test('the word of a pod that was forgotten does not count for one that came and went since', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 2])]);
    take();
    ack(2, 0);
    for (const pods of [wanted(), wanted([POD, 2]), wanted()]) {
      member.want([CODEC, pods]);
      take();
    }
    const event = { service: CODEC, address: POD, kind: 'forgotten', reason: 'none', forMs: 0 } as const;
    say({ kind: 'pod', event }, 5);
    ack(3, 5);
    // By the second message it may have begun some.
    ack(5, 6);
    expect(member.held(CODEC, POD)).toBe(2);
    say({ kind: 'pod', event }, 7);
    expect(member.held(CODEC, POD)).toBe(0);
  });

  test('the word of a pod that is forgotten as it is removed comes before the acknowledgement', () => {
    const { member, say, take, ack } = world();
    say({ kind: 'hello end' });
    member.want([CODEC, wanted([POD, 2])]);
    take();
    ack(2, 0);
    member.want([CODEC, wanted()]);
    take();
    const event = { service: CODEC, address: POD, kind: 'forgotten', reason: 'none', forMs: 0 } as const;
    say({ kind: 'pod', event }, 5);
    expect(member.held(CODEC, POD)).toBe(2);
    ack(3, 5);
    expect(member.held(CODEC, POD)).toBe(0);
  });
});

test('nothing that was not sent can be acknowledged', () => {
  const { member, say, take, ack } = world();
  say({ kind: 'hello end' });
  member.want([CODEC, wanted([POD, 1])]);
  take();
  ack(1_000_000);
  member.want([CODEC, wanted([POD, 2])]);
  take();
  expect(member.isSettled).toBe(false);
});
