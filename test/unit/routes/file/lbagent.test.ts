import { describe, expect, it } from 'vitest';
import { lbagentServiceName } from '../../../../src/routes/file/lbagent.ts';
import { parsed, said } from './kit.ts';

const route = (uri: string, rest = '') =>
  `- {uri: ${uri}, limit: 2, service_name: codec, namespace: media, http_port: 80${rest}}\n`;

describe('the lbagent form', () => {
  it('shares one limit between routes to the same service and port', () => {
    const { services, routes } = parsed(`routes:\n${route('/a')}${route('/b')}`).routing;
    expect(services).toHaveLength(1);
    expect(services[0]).toMatchObject({
      name: 'media.codec.80',
      locator: { kind: 'kubernetes', namespace: 'media', service: 'codec', port: { kind: 'pod', port: 80 } },
      discipline: { kind: 'limited', limit: 2, queue: { max: 1000, timeout: 0, fullStatus: 429 } },
    });
    const backends = [{ service: 'media.codec.80' }];
    expect(routes).toMatchObject([{ backends }, { backends }]);
    expect(routes[0]).toMatchObject({ name: 'routes[0]', match: { path: { kind: 'exact', path: '/a' } } });
  });

  it('refuses different limits for the same pods, naming both lines', () => {
    expect(said(`routes:\n${route('/a')}${route('/b').replace('limit: 2', 'limit: 3')}`)).toEqual([
      'routes[1].limit: limit 3 for the pods that have limit 2 on line 2: routes to the same service and port share one limit; write the same limit on both lines',
    ]);
  });

  it('takes different limits for different ports and namespaces', () => {
    const other = route('/b').replace('limit: 2', 'limit: 3');
    expect(said(`routes:\n${route('/a')}${other.replace('80', '81')}`)).toEqual([]);
    expect(said(`routes:\n${route('/a')}${other.replace('namespace: media, ', '')}`)).toEqual([]);
  });

  it('refuses a path twice', () => {
    expect(said(`routes:\n${route('/a')}${route('/a')}`)).toEqual([
      'routes[1].uri: matches the same requests as routes[0] on line 2; remove one of the two, or narrow one by hosts, methods, headers or query',
    ]);
  });

  it.each([
    [
      'limit',
      'routes:\n- {uri: /a, service_name: codec, http_port: 80}\n',
      ['routes[0].limit: is missing; write limit: 2'],
    ],
    [
      'limit: 0',
      `routes:\n${route('/a').replace('limit: 2', 'limit: 0')}`,
      ['routes[0].limit: must be a whole number from 1 to 10,000, not 0; remove the route to switch it off'],
    ],
    [
      'an unknown key',
      `prot: 80\nroutes:\n${route('/a', ', foo: 1')}`,
      [
        'warning: prot: unknown key "prot"; write port',
        'warning: routes[0].foo: unknown key "foo"; the keys here are uri, limit, service_name, namespace and http_port',
      ],
    ],
    [
      'a misspelt key that must be there',
      `routes:\n${route('/a').replace('limit', 'limt')}`,
      ['routes[0].limit: is missing; write limit: 2', 'warning: routes[0].limt: unknown key "limt"; write limit'],
    ],
    [
      'log_file',
      `log_file: x.log\nroutes:\n${route('/a')}`,
      [
        'warning: log_file: no log is written to "x.log": logs go to the output of Sluice; redirect the output to keep it in a file',
      ],
    ],
    ['empty values', `log_file:\nkube_config_file: ''\nroutes:\n${route('/a')}`, []],
    [
      'a query',
      `routes:\n${route('/a?b=1')}`,
      ['routes[0].uri: a query is not part of a path: "/a?b=1"; write /a; any query matches'],
    ],
    [
      'version and uri together',
      `version: 1\nroutes:\n${route('/a')}`,
      [
        'routes[0].uri: unknown key "uri"; write match: {path: ...}',
        'routes[0].limit: unknown key "limit"; write it in the service: services.<name>.limit',
        'routes[0].service_name: unknown key "service_name"; write service: the name of one of services',
        'routes[0].namespace: unknown key "namespace"; write it in the service: services.<name>.kubernetes.namespace',
        'routes[0].http_port: unknown key "http_port"; write it in the service: services.<name>.kubernetes.port',
      ],
    ],
  ])('knows about %s', (_, text, lines) => {
    expect(said(text)).toEqual(lines);
  });

  it.each([
    ['', {}],
    ['kube_config_file:\n', { kubeConfigFile: '' }],
    ['kube_config_file: ""\nlog_file: a\n', { kubeConfigFile: '', logFile: 'a' }],
  ])('hands on what %j says', (head, lbagent) => {
    expect(parsed(`${head}routes:\n${route('/a')}`).lbagent).toEqual(lbagent);
  });

  it('names services by what they are, in at most 63 characters, and differently when they differ', () => {
    const port = { kind: 'pod', port: 8080 } as const;
    const name = (service: string, namespace?: string) =>
      lbagentServiceName({ kind: 'kubernetes', service, port, ...(namespace === undefined ? {} : { namespace }) });
    expect(name('codec')).toBe('codec.8080');
    const long = name(`${'a'.repeat(62)}x`, 'n'.repeat(63));
    expect(long).toMatch(/^n{54}\.[0-9a-f]{8}$/);
    expect(name(`${'a'.repeat(62)}y`, 'n'.repeat(63))).not.toBe(long);
  });
});
