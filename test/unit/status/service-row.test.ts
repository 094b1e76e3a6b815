import { expect, test } from 'vitest';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { formatShort, serviceRow } from '../../../src/status/service-row.ts';
import { exampleInput, exampleTraffic } from './example.ts';

function row(changes: Partial<StatusInput>) {
  const [codec] = describeStatus(exampleInput(changes)).services;
  if (codec === undefined) throw new Error('the example has a service');
  return serviceRow(codec);
}

test('who waits is told in yellow, a full line and refusals in red, ejected pods are counted', () => {
  const traffic = exampleTraffic();
  const [, , pods, , waiting, oldest, refused] = row({ traffic });
  expect(pods).toEqual({ text: '2 ready, 1 draining', tone: 'doubtful' });
  expect(waiting).toEqual({ text: '3/50', tone: 'doubtful' });
  expect(oldest).toEqual({ text: '1.5 s', tone: 'doubtful' });
  expect(refused).toEqual({ text: '1', tone: 'bad' });
  const full = row({ traffic: { ...traffic, line: () => ({ waiting: 50, ejected: 2, retried: 0 }) } });
  expect(full[2]).toEqual({ text: '2 ready, 1 draining, 2 ejected', tone: 'bad' });
  expect(full[4]).toEqual({ text: '50/50', tone: 'bad' });
});

test('a log that is behind does not tell of a wait where nobody waits', () => {
  const traffic = { ...exampleTraffic(), line: () => ({ waiting: 0, ejected: 0, retried: 0 }) };
  expect(row({ traffic })[5]).toBe('-');
});

test('who waits, but not for long enough to be told of', () => {
  const lately = exampleTraffic();
  const reading = lately.read('codec');
  const read = () => reading && { ...reading, oldestWaitMs: undefined };
  expect(row({ traffic: { ...lately, read } })[5]).toBe('< 2 s');
  expect(row({ traffic: { ...lately, read: () => undefined } })[5]).toBe('?');
});

test.each([
  [0.04, '0 ms'],
  [3.14, '3.1 ms'],
  [42.4, '42 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [99_940, '99.9 s'],
  [240_000, '4.0 min'],
])('%d ms are %s', (ms, text) => {
  expect(formatShort(ms)).toBe(text);
});
