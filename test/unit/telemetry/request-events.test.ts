import { expect, test } from 'vitest';
import { FLAG, type LogEntry } from '../../../src/telemetry/envoy/access-log-entry.ts';
import { givenUpDuring, mayBeSampled, requestEvent } from '../../../src/telemetry/request-events.ts';

function ended(changes: { flags?: number; status?: number; details?: string }): LogEntry {
  const common = { service: 'codec', requestId: 'a', startedAt: 1, durationMs: 2, waitMs: 1 };
  return { kind: 'ended', ...common, flags: 0, status: 200, details: 'via_upstream', ...changes };
}

test.each([
  ['answered', {}],
  ['answered', { status: 404 }],
  ['failed', { status: 500 }],
  ['refused', { status: 429, flags: FLAG.upstreamOverflow }],
  ['abandoned', { status: 0, flags: FLAG.downstreamConnectionTermination }],
  ['abandoned', { status: 200, flags: FLAG.downstreamRemoteReset }],
  ['timed out', { status: 504, flags: FLAG.durationTimeout }],
  ['timed out', { status: 504, flags: FLAG.maxStreamDuration }],
])('%s: %o', (outcome, changes) => {
  expect(requestEvent(ended(changes))).toEqual({
    kind: 'ended',
    service: 'codec',
    id: 'a',
    startedAt: 1,
    waitMs: 1,
    durationMs: 2,
    outcome,
    standsFor: 1,
  });
});

test.each([
  [undefined, { status: 503 }],
  ['wait', { status: 503, details: 'lua_response' }],
  ['work', { status: 504, flags: FLAG.maxStreamDuration }],
  ['work', { status: 504, flags: FLAG.upstreamRequestTimeout }],
  [undefined, { status: 504 }],
])('given up during %s: %o', (during, changes) => {
  expect(givenUpDuring(ended(changes))).toBe(during);
});

test('a wait and a turn are what they are', () => {
  const common = { service: 'codec', requestId: 'a', startedAt: 1 };
  expect(requestEvent({ kind: 'waits', ...common })).toEqual({
    kind: 'waits',
    service: 'codec',
    id: 'a',
    startedAt: 1,
  });
  expect(requestEvent({ kind: 'admitted', ...common })).toMatchObject({ kind: 'admitted', id: 'a' });
  expect(givenUpDuring({ kind: 'waits', ...common })).toBeUndefined();
});

test('a try that failed is no event: the request may be tried again', () => {
  expect(requestEvent({ kind: 'failed', service: 'codec', requestId: 'a', startedAt: 1 })).toBeUndefined();
});

test.each([
  ['answered', {}],
  ['refused', { status: 429, flags: FLAG.upstreamOverflow }],
])('of a sample, one that was %s stands for others', (outcome, changes) => {
  expect(requestEvent(ended(changes), 16)).toMatchObject({ outcome, standsFor: 16 });
  expect(mayBeSampled(ended(changes))).toBe(true);
});

test.each([
  { status: 500 },
  { status: 503, flags: FLAG.upstreamOverflow },
  { status: 0, flags: FLAG.downstreamConnectionTermination },
  { status: 200, flags: FLAG.downstreamRemoteReset },
  { status: 200, flags: FLAG.maxStreamDuration },
])('what is told of beside the sample is not counted twice: %o', (changes) => {
  expect(requestEvent(ended(changes), 4)).toBeUndefined();
  expect(requestEvent(ended(changes))).toMatchObject({ standsFor: 1 });
  expect(mayBeSampled(ended(changes))).toBe(false);
});
