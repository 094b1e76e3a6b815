import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { EventLog, logRecentEvents, noteXdsEvent } from '../../../src/control-plane/log-events.ts';
import { Telemetry } from '../../../src/telemetry/telemetry.ts';
import type { XdsEvent } from '../../../src/xds/protocol/event.ts';

test('a client that is refused again and again is told of once a minute, and with it every other', async () => {
  const told: unknown[] = [];
  const log = makeLogger('silent');
  log.warn = (fields: unknown) => told.push(fields);
  const clock = new FakeClock();
  const events = new EventLog(log, clock);
  const refused = (id: string) =>
    events.record({
      kind: 'refused',
      stream: 1,
      node: { id, cluster: '', metadata: {} },
      peer: '127.0.0.1:1',
      reason: `spiffe://a/envoy may not speak for node "${id}"`,
    });
  for (let second = 0; second < 59; second++) {
    refused('one');
    refused('two');
    await clock.advance(1000);
  }
  expect(told).toMatchObject([{ node: 'one' }, { node: 'two' }]);
  await clock.advance(1000);
  refused('one');
  expect(told).toHaveLength(3);
  for (let index = 0; index < 1001; index++) refused(`made up ${index}`);
  refused('one');
  expect(told).toHaveLength(3 + 1001 + 1);
});

test('a pod that is ejected, comes back or drains is one line that says which', () => {
  const told: unknown[] = [];
  const log = makeLogger('silent');
  log.warn = (...line: unknown[]) => told.push(line);
  log.info = log.warn;
  const tell = logRecentEvents(log);
  const about = { at: 1, service: 'codec', pod: '10.0.0.1:80', node: 'edge-1' };
  tell({ ...about, kind: 'pod ejected', message: 'ejected for 2.5 s: cannot be reached' });
  tell({ at: 2, kind: 'edit', message: 'codec: limit 1 → 2' });
  const { at: _, ...fields } = about;
  expect(told).toEqual([
    [{ ...fields, event: 'pod ejected' }, 'pod ejected for 2.5 s: cannot be reached'],
    [{ event: 'edit' }, 'codec: limit 1 → 2'],
  ]);
});

test('what Envoys do is kept among the events, a rejection once', () => {
  const telemetry = new Telemetry(new FakeClock());
  const node = { id: 'edge-1', cluster: '', metadata: {} };
  const nacked: XdsEvent & { kind: 'nacked' } = {
    kind: 'nacked',
    stream: 1,
    node,
    peer: '127.0.0.1:1',
    typeUrl: 'Listener',
    version: '1',
    resources: ['public'],
    message: 'bad',
  };
  noteXdsEvent(telemetry, { ...nacked, again: false });
  noteXdsEvent(telemetry, { ...nacked, again: true });
  expect(telemetry.events()).toMatchObject([
    { kind: 'configuration rejected', node: 'edge-1', message: 'rejected public: bad' },
  ]);
});
