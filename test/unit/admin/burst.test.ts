import { expect, test } from 'vitest';
import { answerBurst } from '../../../src/admin/burst.ts';

function ask(method: string, headers: Readonly<Record<string, string>>): { status: number; sent: number } {
  let sent = 0;
  const { status } = answerBurst({ method, headers }, (count) => {
    sent += count;
  });
  return { status, sent };
}

test.each(['127.0.0.1:18001', 'localhost:18001', '[::1]:18001', '10.0.0.1'])('the dashboard at %s', (host) => {
  expect(ask('POST', { host, origin: `http://${host}`, 'x-sluice-burst': '1' })).toEqual({ status: 202, sent: 12 });
});

test.each([
  ['a GET', 'GET', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:1', 'x-sluice-burst': '1' }, 405],
  ['another site', 'POST', { host: '127.0.0.1:1', origin: 'http://evil.example', 'x-sluice-burst': '1' }, 403],
  ['another port', 'POST', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:2', 'x-sluice-burst': '1' }, 403],
  ['no origin', 'POST', { host: '127.0.0.1:1', 'x-sluice-burst': '1' }, 403],
  ['a form', 'POST', { host: '127.0.0.1:1', origin: 'http://127.0.0.1:1' }, 403],
  ['a name led here', 'POST', { host: 'a.example:1', origin: 'http://a.example:1', 'x-sluice-burst': '1' }, 403],
  ['nothing', 'POST', {}, 403],
])('not %s', (_, method, headers, status) => {
  expect(ask(method, headers)).toEqual({ status, sent: 0 });
});
