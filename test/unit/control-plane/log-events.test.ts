import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { EventLog } from '../../../src/control-plane/log-events.ts';

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
