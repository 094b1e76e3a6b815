import { expect, test } from 'vitest';
import { nodeLoad } from '../../../src/telemetry/running.ts';

const common = { nodeId: 'envoy', at: 1, requestsInProgress: 3 };

test('a report as pods and gates: who works on something, and that the idle were reported', () => {
  const endpoints = [
    { address: '10.0.0.1', port: 80, requestsInProgress: 3 },
    { address: 'fd00::1', port: 80, requestsInProgress: 0 },
  ];
  const load = nodeLoad(
    [
      { ...common, cluster: 'pods/a@123456', endpoints },
      { ...common, cluster: 'pods/idle', requestsInProgress: 0, endpoints: [] },
      { ...common, cluster: 'gate/a', endpoints: [] },
      { ...common, cluster: 'other', endpoints },
    ],
    5,
  );
  expect(load.at).toBe(5);
  expect([...load.pods]).toEqual([
    ['a@123456', new Map([['10.0.0.1:80', 3]])],
    ['idle', new Map()],
  ]);
  expect([...load.gates]).toEqual([['a', 3]]);
});
