import { expect, test } from 'vitest';
import { headView, serviceView } from '../../../src/admin/view.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { busyTelemetry, exampleInput, exampleNode, NOW } from '../status/example.ts';

test('a service: its pods in short, its last minute, and no problems, which stand above', () => {
  const [codec] = describeStatus(exampleInput({ telemetry: busyTelemetry() })).services;
  if (codec === undefined) throw new Error('the example has a service');
  const view = serviceView(codec);
  expect(view.pods).toEqual([
    ['10.0.0.1:80', 'ready', 2, 2],
    ['10.0.0.2:80', 'draining', 0, 2],
    ['[fd00::1]:80', 'ejected', 0, 2, 'unreachable', NOW, NOW + 2500],
  ]);
  expect(view).toMatchObject({ name: 'codec', slots: 2, waiting: 3, lastMinute: { refused: 1 } });
  expect(view.source).toEqual({ kind: 'kubernetes', target: 'ai-media/codec:http', state: 'ready' });
  expect(view).not.toHaveProperty('traffic');
});

test('an Envoy is as well as its worst type', () => {
  const node = (status: 'in sync' | 'pending' | 'nacked') => {
    const nack = status === 'nacked' ? { nack: { message: 'bad', names: ['public'], at: 0 } } : {};
    const types = [
      { typeUrl: TYPE_URLS.cluster, status: 'in sync', ackedVersion: '1' } as const,
      { typeUrl: TYPE_URLS.routes, status: 'pending', ackedVersion: '1' } as const,
      { typeUrl: TYPE_URLS.listener, status, ackedVersion: '1', ...nack },
    ];
    return exampleNode({ types: status === 'in sync' ? types.slice(0, 1) : types });
  };
  const state = (status: 'in sync' | 'pending' | 'nacked') =>
    headView(describeStatus(exampleInput({ nodes: [node(status)] })), false).nodes[0];
  expect(state('in sync')).toMatchObject({ state: 'in sync', why: [] });
  expect(state('pending')).toMatchObject({ state: 'pending' });
  expect(state('nacked')).toMatchObject({
    state: 'rejected',
    why: ['RouteConfiguration is pending', 'Listener: bad'],
  });
});
