import { expect, test } from 'vitest';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { formatShort, serviceRow } from '../../../src/status/service-row.ts';
import { busyTelemetry, exampleInput, exampleTelemetry, noTelemetry } from './example.ts';

function row(changes: Partial<StatusInput>) {
  const [codec] = describeStatus(exampleInput(changes)).services;
  if (codec === undefined) throw new Error('the example has a service');
  return serviceRow(codec);
}

test('who waits and pods that are out are told in yellow, a full queue and refusals in red', () => {
  const [, , pods, inUse, waiting, oldest, refused] = row({ telemetry: busyTelemetry() });
  expect(pods).toEqual({ text: '1/3 ready', tone: 'doubtful' });
  expect(inUse).toBe('2/2');
  expect(waiting).toEqual({ text: '3/50', tone: 'doubtful' });
  expect(oldest).toEqual({ text: '1.5 s', tone: 'doubtful' });
  expect(refused).toEqual({ text: '1', tone: 'bad' });
  expect(row({ telemetry: exampleTelemetry({ waiting: 50 }) })[4]).toEqual({ text: '50/50', tone: 'bad' });
});

test('nobody waits; nobody knows', () => {
  expect(row({ telemetry: exampleTelemetry() })[5]).toBe('-');
  expect(row({ telemetry: noTelemetry() })[5]).toBe('?');
});

test.each([
  [0.04, '0 ms'],
  [3.14, '3.1 ms'],
  [42.4, '42 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [99_940, '99.9 s'],
  [240_000, '4.0 min'],
  [12_600_000, '3.5 h'],
])('%d ms are %s', (ms, text) => {
  expect(formatShort(ms)).toBe(text);
});
