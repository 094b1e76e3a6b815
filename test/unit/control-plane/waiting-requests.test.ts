import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { WaitingRequests } from '../../../src/control-plane/waiting-requests.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import type { WaitingRequest } from '../../../src/slots/events.ts';
import { Member } from '../../../src/slots/member.ts';
import { DEFAULT_PACE } from '../../../src/slots/server.ts';
import { helloOf } from '../slots/hello.ts';

// The brand is the parser's; the names of tests are good.
const codec = 'codec' as ServiceName;

function member(node: string): Member {
  const made = new Member(helloOf({ node, epoch: '7', codeVersion: 'c' }), DEFAULT_PACE);
  made.receive({ kind: 'hello end' }, 0, '127.0.0.1:1');
  return made;
}

const request = (id: number, ageMs: number): WaitingRequest => ({
  id,
  ageMs,
  method: 'GET',
  path: '/',
  client: '10.0.0.9:1',
  requestId: `r-${id}`,
  class: '',
  tenant: '',
});

function start(...nodes: readonly string[]) {
  const clock = new FakeClock();
  const members = nodes.map(member);
  const asked: { node: string; query: number }[] = [];
  const cancelled: { node: string; id: number }[] = [];
  const waiting = new WaitingRequests({
    clock,
    members: () => members,
    flush: (one) => {
      for (const { message } of one.takeMessages()) {
        if (message.kind === 'list waiting') asked.push({ node: one.id.node, query: message.query });
        if (message.kind === 'cancel') cancelled.push({ node: one.id.node, id: message.id });
      }
    },
  });
  const answer = (node: string, requests: readonly WaitingRequest[], all = requests.length) => {
    const query = asked.find((one) => one.node === node)?.query ?? 0;
    waiting.record({ node, epoch: '7', kind: 'waiting list', service: codec, query, requests, waiting: all, pods: [] });
  };
  return { clock, waiting, asked, cancelled, answer };
}

test('all queue filters are asked, and the oldest comes first', async () => {
  const { waiting, answer } = start('a', 'b');
  const listed = waiting.list(codec, 3);
  answer('a', [request(1, 50), request(2, 10)], 9);
  answer('b', [request(1, 30), request(2, 20)]);
  const { requests, waiting: all, silent } = await listed;
  expect(requests.map(({ member: { node }, id, ageMs }) => [node, id, ageMs])).toEqual([
    ['a', 1, 50],
    ['b', 1, 30],
    ['b', 2, 20],
  ]);
  expect([all, silent]).toEqual([11, 0]);
});

test('a filter that does not answer is not waited for', async () => {
  const { clock, waiting, answer } = start('a', 'b');
  const listed = waiting.list(codec, 3);
  answer('a', [request(1, 50)]);
  await clock.advance(1000);
  expect(await listed).toMatchObject({ waiting: 1, silent: 1 });
  // Too late: nobody waits for it any longer.
  answer('b', [request(1, 50)]);
});

test('nobody to ask', async () => {
  expect(await start().waiting.list(codec, 3)).toEqual({ requests: [], waiting: 0, silent: 0 });
});

test('the filter that has it is told to cancel, and no other', () => {
  const { waiting, cancelled } = start('a', 'b');
  waiting.cancel(codec, { member: { node: 'b', epoch: '7' }, id: 4 });
  waiting.cancel(codec, { member: { node: 'b', epoch: '8' }, id: 4 });
  expect(cancelled).toEqual([{ node: 'b', id: 4 }]);
});
