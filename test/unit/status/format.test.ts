import { expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { describeStatus, type StatusInput } from '../../../src/status/describe.ts';
import { formatAge, formatStatus } from '../../../src/status/format.ts';
import type { Paint } from '../../../src/status/table.ts';
import { exampleInput, exampleNode, exampleRouting, exampleTraffic, HOUR, NOW } from './example.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (tone, text) => `<${tone}>${text}</>`;
// The brand is the parser's; the example's names are good.
const codec = 'codec' as ServiceName;

function format(changes: Partial<StatusInput>, paint = plain): string {
  return formatStatus(describeStatus(exampleInput(changes)), paint);
}

test('everything is well', () => {
  const loads = new Map([['a', { running: new Map([[codec, new Map([['10.0.0.1:80', 2]])]]) }]]);
  expect(format({ loads, traffic: exampleTraffic() })).toBe(`Sluice 1.2.3, up 5h
route file      routes.yaml: ready
configuration   abc123, published 12s ago

SERVICE   KIND            PODS                  IN USE   WAITING   OLDEST WAIT   REFUSED   WAIT P50/P99   WORK P50/P99      SOURCE
codec     limit 2         2 ready, 1 draining   2/5      3/50      1.5 s         1         3 ms / 1.2 s   2.0 s / 4.0 min   kubernetes ai-media/codec:http: ready
web       least_request   1 ready               0        -         -             0         -              -                 static: ready
Refused, wait and work are of the last minute.

ENVOY    VERSION        CONNECTED FOR   FROM            CONFIGURATION
edge-1   envoy 1.40.0   1h              10.0.0.9:4711   in sync
`);
});

test('when requests are counted by a sample, it says so', () => {
  const traffic = { ...exampleTraffic(), oneIn: 4 };
  expect(format({ traffic })).toContain('of the last minute. So many requests that one in 4 is counted, for all.\n');
});

test('what nobody has reported is not shown as a number', () => {
  expect(format({})).toMatch(/^codec .* 2 ready, 1 draining {3}\?\/5 +\?\/50 +\? +\? +\? +\? /m);
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
    'route file      routes.yaml: stale for 1h: the last version that could be used stays in force\nconfiguration   none yet\n',
  );
  expect(text).toMatch(/^codec .* not in force yet .* kubernetes ai-media\/codec:http: pending$/m);
  expect(text).toMatch(/^web .* static: stale for 1h$/m);
  expect(text).toMatch(/^edge-1 .* refused: Listener$/m);
  expect(text).toMatch(/^edge-2 .* pending: Cluster$/m);
  expect(text).toMatch(/^edge-3 .* asks for nothing$/m);
  expect(text).toMatch(
    /\nPROBLEMS\nroutes\.yaml:3:1: warning: odd\nEnvoy edge-1: refuses Listener public: bad filter\n$/,
  );
});

test('no services, no Envoys', () => {
  const routing = { ...exampleRouting(), services: [] };
  const text = format({
    model: { routing, services: [], retiring: [] },
    routeFile: { path: 'r', state: { kind: 'ready', value: routing, problems: [] } },
    nodes: [],
  });
  expect(text).toMatch(/\n\nno services\n\nno Envoy is connected\n$/);
});

test('tones: red for a service that nobody can serve, yellow while pods drain, green when well', () => {
  const { model } = exampleInput();
  if (model === undefined) throw new Error('the example has a model');
  const empty = { ...model, services: model.services.map((service) => ({ ...service, pods: [] })) };
  expect(format({ model: empty }, marked)).toMatch(/<bad>0 ready/);
  const well = format({}, marked);
  expect(well).toMatch(/<doubtful>2 ready, 1 draining/);
  expect(well).toMatch(/<good>1 ready/);
  expect(well).toMatch(/<good>in sync<\/>/);
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
