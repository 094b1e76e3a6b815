import { expect, test } from 'vitest';
import { sluice } from '#xds';
import { writeMessage } from '../../../src/slots/write-message.ts';
import { serviceName } from '../model/routing-parts.ts';

test('a filter is told all settings of a service', () => {
  const settings = {
    max: 10,
    timeoutMs: 2000,
    fullStatus: 429,
    abortHoldMs: 5,
    slackMs: 20,
    ownSlots: true,
    ejection: { consecutive5xx: 5, consecutiveGateway: 3, baseMs: 1000, maxMs: 10_000 },
    tellPlace: true,
    waitForBodyBytes: 1024,
    jobs: { status: 202, timeoutMs: 60_000, header: 'sluice-job' },
    idempotency: { header: 'idempotency-key', onDuplicate: 'join' },
  } as const;
  const pods = new Map([['10.0.0.1:80', { limit: 2, unhealthy: false }]]);
  const takes = [serviceName('coder')];
  const bytes = writeMessage({ kind: 'service', name: serviceName('codec'), settings, pods, takes }, 1);
  const { service } = sluice.queue.v1.ControlMessage.decode(bytes);
  expect(service?.takes).toEqual(takes);
  const told = service?.settings ?? {};
  expect(JSON.parse(JSON.stringify(told))).toEqual({
    queueMax: 10,
    queueTimeoutMs: '2000',
    fullStatus: 429,
    abortHoldMs: 5,
    slackMs: 20,
    ownSlots: true,
    ejection: { consecutive5xx: 5, consecutiveGateway: 3, baseMs: '1000', maxMs: '10000' },
    tellPlace: true,
    waitForBodyBytes: 1024,
    jobStatus: 202,
    jobTimeoutMs: '60000',
    jobHeader: 'sluice-job',
    idempotencyHeader: 'idempotency-key',
    onDuplicate: 'JOIN',
  });
});
