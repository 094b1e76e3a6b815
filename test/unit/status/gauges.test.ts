import { expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { gauges } from '../../../src/status/gauges.ts';
import { exampleInput, exampleNode, exampleRouting, exampleTraffic } from './example.ts';
import { samples } from './exposition.ts';

// The brand is the parser's; the example's names are good.
const codec = 'codec' as ServiceName;

function read(changes: Partial<StatusInput> = {}) {
  return Object.fromEntries(samples(gauges(describeStatus(exampleInput(changes)))));
}

test('what a healthy status looks like', () => {
  expect(read({ loads: new Map([['a', { running: new Map([[codec, new Map([['10.0.0.1:80', 2]])]]) }]]) })).toEqual({
    sluice_route_file_valid: 1,
    sluice_requests_sampled_ratio: 1,
    sluice_xds_connected_nodes: 1,
    'sluice_service_source_up{service="codec",source="kubernetes"}': 1,
    'sluice_service_source_up{service="web",source="static"}': 1,
    'sluice_service_source_stale_seconds{service="codec",source="kubernetes"}': 0,
    'sluice_service_source_stale_seconds{service="web",source="static"}': 0,
    'sluice_pod_limit{service="codec"}': 2,
    'sluice_requests_in_progress{service="codec"}': 2,
    'sluice_requests_in_progress{service="web"}': 0,
    'sluice_slots{service="codec"}': 5,
    'sluice_pods{service="codec",state="ready"}': 2,
    'sluice_pods{service="codec",state="draining"}': 1,
    'sluice_pods{service="codec",state="ejected"}': 0,
    'sluice_pods{service="web",state="ready"}': 1,
    'sluice_pods{service="web",state="draining"}': 0,
    'sluice_pods{service="web",state="ejected"}': 0,
    'sluice_pod_requests_in_progress{service="codec",pod="10.0.0.1:80"}': 2,
    'sluice_pod_requests_in_progress{service="codec",pod="10.0.0.2:80"}': 0,
    'sluice_pod_requests_in_progress{service="codec",pod="[fd00::1]:80"}': 0,
    'sluice_pod_requests_in_progress{service="web",pod="127.0.0.1:9000"}': 0,
    'sluice_problems{severity="error"}': 0,
    'sluice_problems{severity="warning"}': 0,
  });
});

test('the share of a sample', () => {
  expect(read({ traffic: { ...exampleTraffic(), oneIn: 4 } })).toMatchObject({ sluice_requests_sampled_ratio: 0.25 });
});

test('the line, where it is known', () => {
  const loads = new Map([['a', { running: new Map([[codec, new Map([['10.0.0.1:80', 2]])]]) }]]);
  expect(read({ loads, traffic: exampleTraffic() })).toMatchObject({
    'sluice_requests_waiting{service="codec"}': 3,
    'sluice_requests_waiting{service="web"}': 0,
    'sluice_oldest_wait_seconds{service="codec"}': 1.5,
    'sluice_oldest_wait_seconds{service="web"}': 0,
    'sluice_pods_ejected{service="codec"}': 0,
    // Two at work and three who wait, two a pod.
    'sluice_desired_pods{service="codec"}': 3,
  });
});

test('what went wrong', () => {
  const stale = { kind: 'stale', since: 0, problems: [] } as const;
  const problem = { subject: 'x', message: 'y' };
  const now = read({
    routeFile: { path: 'r', state: { ...stale, value: exampleRouting() } },
    podsOf: (locator) => (locator.kind === 'static' ? { kind: 'pending', problems: [] } : { ...stale, value: [] }),
    nodes: [],
    problems: [
      { severity: 'error', ...problem },
      { severity: 'warning', ...problem },
      { severity: 'warning', ...problem },
    ],
  });
  expect(now).toMatchObject({
    sluice_route_file_valid: 0,
    sluice_xds_connected_nodes: 0,
    'sluice_service_source_up{service="codec",source="kubernetes"}': 0,
    'sluice_service_source_up{service="web",source="static"}': 0,
    'sluice_problems{severity="error"}': 1,
    'sluice_problems{severity="warning"}': 2,
  });
});

test('a service and a pod that are gone leave no series behind', () => {
  const { model } = exampleInput();
  if (model === undefined) throw new Error('the example has a model');
  const loads = new Map([['a', { running: new Map() }]]);
  read({ loads, nodes: [exampleNode()] });
  const routing = { ...model.routing, services: [] };
  const after = read({
    loads,
    model: { routing, services: [], retiring: [] },
    routeFile: { path: 'r', state: { kind: 'ready', value: routing, problems: [] } },
  });
  expect(Object.keys(after).filter((name) => name.includes('service='))).toEqual([]);
});
