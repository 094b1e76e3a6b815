import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { type FormatOptions, formatAge, formatStatus } from '../../../src/status/format.ts';
import type { Status } from '../../../src/status/status.ts';
import type { Paint } from '../../../src/status/table.ts';
import { busyTelemetry, exampleInput, exampleNode, exampleRouting, HOUR, NOW, noTelemetry } from './example.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (tone, text) => `<${tone}>${text}</>`;

function format(changes: Partial<StatusInput>, options: Partial<FormatOptions> = {}): string {
  return formatStatus(describeStatus(exampleInput(changes)), { paint: plain, sort: 'name', ...options });
}

test('a file or a pipe gets everything', () => {
  expect(format({ telemetry: busyTelemetry() })).toBe(`Sluice 1.2.3, up 5h
route file      routes.yaml: ready
configuration   abc123, published 12s ago

SERVICE  LIMIT  PODS       IN USE  WAITING  OLDEST  REFUSED  WAIT P50/P99     WORK P50/P99   SOURCE
codec    2      1/3 ready  2/2     3/50     1.5 s   1        250 ms / 299 ms  2.5 s / 3.0 s  kubernetes ai-media/codec:http: ready
web      -      1 ready    -       -        -       -        -                -              static: ready
Refused, wait and work are of the last minute.

ENVOY   VERSION       UP  FROM           CONFIGURATION  QUEUE FILTER
edge-1  envoy 1.40.0  1h  10.0.0.9:4711  in sync        connected
`);
});

test('a terminal of 80 columns gets what fits', () => {
  const text = format({ telemetry: busyTelemetry() }, { width: 80 });
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(text).toMatch(/^SERVICE +PODS +IN USE +WAITING +OLDEST +REFUSED +WAIT P50\/P99$/m);
});

test('a screen: problems first, then the services that matter most, as many as there is room for', () => {
  const status = describeStatus(exampleInput({ telemetry: busyTelemetry() }));
  const [codec] = status.services;
  if (codec === undefined) throw new Error('the example has a service');
  const [idle] = describeStatus(exampleInput()).services;
  if (idle === undefined) throw new Error('the example has a service');
  const quiet = Array.from({ length: 60 }, (_, index) => ({ ...idle, name: `a-${index}` }));
  const problem = { severity: 'error', subject: 'x', message: 'broken' } as const;
  const many: Status = { ...status, services: [...quiet, codec], problems: [problem] };
  const text = formatStatus(many, { paint: plain, sort: 'trouble', width: 80, height: 30 });
  const lines = text.split('\n');
  expect(lines.length).toBeLessThanOrEqual(30);
  expect(text.indexOf('PROBLEMS')).toBeLessThan(text.indexOf('SERVICE'));
  expect(lines[lines.findIndex((line) => line.startsWith('SERVICE')) + 1]).toMatch(/^codec /);
  expect(text).toMatch(/^\d+ more services\. Refused/m);
});

test('what nobody has reported is not shown as a number', () => {
  expect(format({ telemetry: noTelemetry() })).toMatch(/^codec +2 +2\/3 ready +\?\/4 +\?\/50 +\? +\? /m);
});

test('what is wrong', () => {
  const stale = { kind: 'stale', since: NOW - HOUR, value: exampleRouting(), problems: [] } as const;
  const nack = { message: 'bad\nfilter', names: ['public'], at: NOW };
  const text = format({
    routeFile: { path: 'routes.yaml', state: stale },
    model: undefined,
    configuration: undefined,
    podsOf: ({ kind }) => (kind === 'static' ? { ...stale, value: [] } : { kind: 'pending', problems: [] }),
    nodes: [
      exampleNode({
        types: [
          { typeUrl: TYPE_URLS.cluster, status: 'pending', ackedVersion: '' },
          { typeUrl: TYPE_URLS.listener, status: 'nacked', ackedVersion: '', nack },
        ],
      }),
      exampleNode({
        node: { id: 'edge-2', cluster: '', metadata: {} },
        types: [{ typeUrl: TYPE_URLS.cluster, status: 'pending', ackedVersion: '' }],
      }),
      exampleNode({ node: { id: 'edge-3', cluster: '', metadata: {} }, types: [] }),
    ],
    problems: [{ severity: 'warning', subject: 'routes.yaml', position: { line: 3, column: 1 }, message: 'odd' }],
  });
  expect(text).toContain(
    'route file      routes.yaml: stale for 1h: the last version that could be used stays active\nconfiguration   none yet\n',
  );
  expect(text).toMatch(/^codec .* not active yet .* kubernetes ai-media\/codec:http: pending$/m);
  expect(text).toMatch(/^web .* static: stale for 1h$/m);
  expect(text).toMatch(/^edge-1 .* rejected: Listener +/m);
  expect(text).toMatch(/^edge-2 .* pending: Cluster +/m);
  expect(text).toMatch(/^edge-3 .* asks for nothing +-$/m);
  expect(text).toMatch(
    /\nPROBLEMS\nroutes\.yaml:3:1: warning: odd\nEnvoy edge-1: rejected Listener public: bad filter\n$/,
  );
});

test('no services, no Envoys', () => {
  const routing = { ...exampleRouting(), services: [] };
  const text = format({
    model: { routing, services: [] },
    routeFile: { path: 'r', state: { kind: 'ready', value: routing, problems: [] } },
    nodes: [],
  });
  expect(text).toMatch(/\n\nno services\n\nno Envoy is connected\n$/);
});

test('tones: red for a service that nobody can serve, yellow while pods are out, green when well', () => {
  const { model } = exampleInput();
  if (model === undefined) throw new Error('the example has a model');
  const empty = { ...model, services: model.services.map((service) => ({ ...service, pods: [] })) };
  expect(format({ model: empty }, { paint: marked })).toMatch(/<bad>0 ready/);
  const well = format({}, { paint: marked });
  expect(well).toMatch(/<good>2\/3 ready/);
  expect(well).toMatch(/<good>1 ready/);
  expect(format({ telemetry: busyTelemetry() }, { paint: marked })).toMatch(/<doubtful>1\/3 ready/);
  expect(well).toMatch(/<good>in sync +<\/>/);
});

test.each([
  [-5, '0s'],
  [999, '0s'],
  [12_000, '12s'],
  [192_000, '3m12s'],
  [3 * HOUR, '3h'],
  [3 * HOUR + 5000, '3h'],
  [27 * HOUR, '1d3h'],
  [49 * HOUR + 61_000, '2d1h'],
])('%d ms are %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});
