import { expect, test } from 'vitest';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { gauges } from '../../../src/status/gauges.ts';
import { podReport } from '../telemetry/reports.ts';
import { busyTelemetry, exampleInput, exampleNode, exampleRouting, exampleTelemetry, noTelemetry } from './example.ts';
import { samples } from './exposition.ts';

function read(changes: Partial<StatusInput> = {}) {
  return Object.fromEntries(samples(gauges(describeStatus(exampleInput(changes)))));
}

test('what a healthy status looks like', () => {
  const telemetry = exampleTelemetry({ inUse: 2, pods: [podReport('10.0.0.1:80', { inUse: 2 })] });
  expect(read({ telemetry })).toEqual({
    sluice_route_file_valid: 1,
    sluice_xds_connected_nodes: 1,
    'sluice_filter_connected{node="edge-1"}': 1,
    'sluice_filter_memory_bytes{node="edge-1"}': 4_000_000,
    'sluice_service_source_up{service="codec",source="kubernetes"}': 1,
    'sluice_service_source_up{service="web",source="static"}': 1,
    'sluice_service_source_stale_seconds{service="codec",source="kubernetes"}': 0,
    'sluice_service_source_stale_seconds{service="web",source="static"}': 0,
    'sluice_pod_limit{service="codec"}': 2,
    'sluice_requests_waiting{service="codec"}': 0,
    'sluice_requests_waiting_peak{service="codec"}': 0,
    'sluice_oldest_wait_seconds{service="codec"}': 0,
    'sluice_expected_wait_seconds{service="codec"}': 0,
    'sluice_requests_coming{service="codec"}': 0,
    'sluice_jobs{service="codec"}': 0,
    'sluice_slots{service="codec"}': 4,
    'sluice_slots_in_use{service="codec"}': 2,
    'sluice_slots_in_use_peak{service="codec"}': 2,
    'sluice_desired_pods{service="codec"}': 1,
    'sluice_pods{service="codec",state="ready"}': 2,
    'sluice_pods{service="codec",state="draining"}': 1,
    'sluice_pods{service="codec",state="ejected"}': 0,
    'sluice_pods{service="codec",state="trying"}': 0,
    'sluice_pods{service="codec",state="unhealthy"}': 0,
    'sluice_pods{service="web",state="ready"}': 1,
    'sluice_pods{service="web",state="draining"}': 0,
    'sluice_pods{service="web",state="ejected"}': 0,
    'sluice_pods{service="web",state="trying"}': 0,
    'sluice_pods{service="web",state="unhealthy"}': 0,
    'sluice_pod_slots_in_use{service="codec",pod="10.0.0.1:80"}': 2,
    'sluice_pod_slots_in_use{service="codec",pod="10.0.0.2:80"}': 0,
    'sluice_pod_slots_in_use{service="codec",pod="[fd00::1]:80"}': 0,
    'sluice_problems{severity="error"}': 0,
    'sluice_problems{severity="warning"}': 0,
  });
});

test('the queue, with what is between two looks and the quantiles of the status', () => {
  expect(read({ telemetry: busyTelemetry() })).toMatchObject({
    'sluice_requests_waiting{service="codec"}': 3,
    'sluice_requests_waiting_peak{service="codec"}': 9,
    'sluice_slots_in_use_peak{service="codec"}': 4,
    'sluice_oldest_wait_seconds{service="codec"}': 1.5,
    'sluice_pods{service="codec",state="ejected"}': 1,
    // Two in use and three that wait, two a pod.
    'sluice_desired_pods{service="codec"}': 3,
    'sluice_wait_last_minute_seconds{service="codec",quantile="0.5"}': 0.25,
    'sluice_work_last_minute_seconds{service="codec",quantile="0.99"}': 2.99,
  });
});

test('what no filter reports has no series', () => {
  const names = Object.keys(read({ telemetry: noTelemetry() }));
  expect(names.filter((name) => /in_use|waiting|oldest|desired|memory/.test(name))).toEqual([]);
  expect(names).toContain('sluice_slots{service="codec"}');
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
  const telemetry = busyTelemetry();
  read({ telemetry, nodes: [exampleNode()] });
  const routing = { ...model.routing, services: [] };
  const after = read({
    telemetry,
    model: { routing, services: [] },
    routeFile: { path: 'r', state: { kind: 'ready', value: routing, problems: [] } },
  });
  expect(Object.keys(after).filter((name) => name.includes('service='))).toEqual([]);
});
