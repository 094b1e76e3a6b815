import { describe, expect, it } from 'vitest';
import { parsed, said, withRoutes, withService } from './kit.ts';

const only = (text: string) => {
  const [service] = parsed(text).routing.services;
  if (service === undefined) throw new Error('no service');
  return service;
};

describe('services of version 1', () => {
  it('has defaults for everything but where the pods are', () => {
    expect(only(withService('static: []', 'limit: 3'))).toEqual({
      name: 's',
      locator: { kind: 'static', addresses: [] },
      protocol: 'http1',
      discipline: { kind: 'limited', limit: 3, queue: { max: 1000, timeout: 0, fullStatus: 429 } },
      timeout: { request: 0, connect: 2000 },
      outlier: { consecutive5xx: 0, eject: 2000 },
    });
    expect(only(withService('static: []')).discipline).toEqual({
      kind: 'balanced',
      balance: 'least_request',
      maxRequests: 1024,
      queueMax: 1024,
      fullStatus: 429,
    });
  });

  it('takes parts of a section and keeps the defaults of the rest', () => {
    const service = only(withService('static: []', 'limit: 1', 'queue: {full_status: 503}', 'health: {path: /up}'));
    expect(service.discipline).toMatchObject({ queue: { max: 1000, timeout: 0, fullStatus: 503 } });
    expect(service.health).toEqual({ path: '/up', interval: 5000 });
  });

  it.each([
    [
      'kubernetes: {service: a, port: http}',
      { kind: 'kubernetes', service: 'a', port: { kind: 'service', port: 'http' } },
    ],
    [
      'kubernetes: {namespace: n, service: a, port: 80}',
      { kind: 'kubernetes', namespace: 'n', service: 'a', port: { kind: 'service', port: 80 } },
    ],
    ['dns: {host: A.Example., port: 80}', { kind: 'dns', host: 'a.example', port: 80 }],
    [
      'static: ["[FD00:0::2]:81", 10.0.0.2:80, 10.0.0.2:8]',
      {
        kind: 'static',
        addresses: [
          { ip: '10.0.0.2', port: 8 },
          { ip: '10.0.0.2', port: 80 },
          { ip: 'fd00::2', port: 81 },
        ],
      },
    ],
  ])('finds pods by %s', (line, locator) => {
    expect(only(withService(line)).locator).toEqual(locator);
  });

  it.each([
    ['limit: 0', 'services.s.limit: must be a whole number from 1 to 10,000, not 0; remove the route to switch it off'],
    ['limit: 10001', 'services.s.limit: must be a whole number from 1 to 10,000, not 10001; write one such as 2'],
    ['limit: 1.5', 'services.s.limit: must be a whole number from 1 to 10,000, not a fraction such as 1.5; write 2'],
    ['limit: "2"', 'services.s.limit: must be a number, and "2" is text; remove the quotes: 2'],
    [
      'limit: two',
      'services.s.limit: must be a whole number from 1 to 10,000, not "two"; write digits only, such as 2',
    ],
    [
      'limit: 1,000',
      'services.s.limit: must be a whole number from 1 to 10,000, not "1,000"; write 1000, without separators',
    ],
    ['limit: [2]', 'services.s.limit: must be a whole number from 1 to 10,000, not a list; write limit: 2'],
    ['limit:', 'services.s.limit: has no value; write limit: 2'],
    [
      'timeout: {connect: 0}',
      'services.s.timeout.connect: must be 1ms or longer, not 0; write one such as 2s: a connection must fail some time for another pod to be tried',
    ],
    [
      'queue: {max: 0}',
      'services.s.queue.max: must be a whole number from 1 to 1,000,000, not 0; write one such as 1000',
    ],
    [
      'queue: {timeout: 5s}',
      'services.s.queue.timeout: only with a limit: without one there is no queue; remove it, or set limit',
    ],
    ['health: {}', 'services.s.health.path: is missing; write path: /healthz'],
    [
      'dns: {host: a, port: 1}',
      'services.s.dns: only one of kubernetes, dns and static may be there, and static is on line 5; remove one of the two',
    ],
    ['health_check: {path: /}', 'services.s.health_check: unknown key "health_check"; write health'],
  ])('refuses %s', (line, ...lines) => {
    expect(said(withService('static: []', line))).toEqual(lines);
  });

  it('needs exactly one place where the pods are', () => {
    expect(said(withService('limit: 1'))).toEqual([
      'services.s: needs one of kubernetes, dns or static; write one of them',
    ]);
  });

  it('refuses balance and max_requests beside a limit, even a wrong one', () => {
    expect(said(withService('static: []', 'limit: 1', 'balance: random', 'max_requests: 4'))).toEqual([
      'services.s.balance: only without a limit: with a limit the next request always goes to the first free pod; remove it, or the limit',
      'services.s.max_requests: only without a limit: with a limit the next request always goes to the first free pod, and queue.max bounds how many wait; remove it, or the limit',
    ]);
    expect(said(withService('static: []', 'limit: 0', 'balance: random'))).toHaveLength(2);
  });

  it('refuses the same pods in two services when one of them has a limit', () => {
    const two = (first: string, second: string) =>
      `version: 1\nservices:\n  a: {${first}}\n  b: {${second}}\nroutes:\n- {match: {path: /a}, service: a}\n- {match: {path: /b}, service: b}\n`;
    const fix = 'make it one service, and lead the routes of both to it';
    expect(said(two('static: [10.0.0.1:80], limit: 1', 'static: [10.0.0.2:80, 10.0.0.1:80]'))).toEqual([
      `services.b.static: 10.0.0.1:80 is in service a (line 3) as well, and a limit holds within one service; ${fix}`,
    ]);
    const kube = 'kubernetes: {service: x, port: 80}';
    expect(said(two(kube, `${kube}, limit: 1`))).toEqual([
      `services.b.kubernetes: the same kubernetes address is in service a (line 3) as well, and a limit holds within one service; ${fix}`,
    ]);
    expect(said(two(kube, kube))).toEqual([]);
    expect(said(two(`${kube}, limit: 1`, 'kubernetes: {service: x, port: 81}, limit: 1'))).toEqual([]);
    expect(said(two('static: [], limit: 1', 'static: [], limit: 1'))).toEqual([]);
  });

  it('warns of a service that no route uses', () => {
    expect(said(`${withRoutes('match: {path: /}')}`.replace('services: {', 'services: {idle: {static: []}, '))).toEqual(
      ['warning: services.idle: no route leads to this service; add one, or remove the service'],
    );
  });

  it('checks the names of services', () => {
    const fix = 'a name has 1 to 63 small letters, digits and inner - . _';
    expect(said('version: 1\nservices: {"My svc": {static: []}, -: {static: []}}\nroutes: []')).toEqual([
      `services["My svc"]: not a service name: "My svc"; write my-svc (${fix})`,
      `services.-: not a service name: "-"; ${fix}`,
    ]);
  });
});

describe('routes of version 1', () => {
  it.each([
    ['match: {}', 'routes[0].match: needs one of path, prefix or regex; write one of them'],
    [
      'match: /x',
      'routes[0].match: must be a map of path, prefix, regex, hosts, methods, headers and query, not "/x"; write match: {prefix: /}',
    ],
    ['path: /x', 'routes[0].path: unknown key "path"; write match: {path: ...}'],
    [
      'match: {path: /x}, rewrite: {prefix: y}',
      'routes[0].rewrite.prefix: a path begins with /, and this is "y"; write /y',
    ],
    ['match: {prefix: /x/}, rewrite: {prefix: /y}', 'routes[0].rewrite.prefix: would turn /x/x into /yx; write /y/'],
    [
      'match: {regex: /x}, rewrite: {prefix: /y}',
      'routes[0].rewrite: with a regex there is no prefix to rewrite; match by path or prefix, or leave the path as it is',
    ],
    [
      'match: {prefix: /, hosts: []}',
      'routes[0].match.hosts: is an empty list; name a host, or remove the key to take every host',
    ],
    [
      'match: {prefix: /, methods: [POST, POST]}',
      'routes[0].match.methods[1]: is listed twice (first in routes[0].match.methods[0]); remove one of the two',
    ],
    [
      'match: {prefix: /, headers: {X-A: b, x-a: c}}',
      'routes[0].match.headers.x-a: the same header is on line 4; remove one of the two',
    ],
    [
      'match: {prefix: /, headers: {X-Sluice-Gate: b}}',
      'routes[0].match.headers.X-Sluice-Gate: x-sluice-gate is internal, and taken off every request that comes in; use another header',
    ],
    [
      'match: {prefix: /, headers: {":path": b}}',
      'routes[0].match.headers[":path"]: :path has a key of its own; write match.path, match.prefix or match.regex',
    ],
    [
      'match: {prefix: /, headers: {x y: b}}',
      'routes[0].match.headers["x y"]: not a name of a header: "x y"; write one such as x-model',
    ],
    [
      'match: {prefix: /}, timeout: {connect: 5s}',
      'routes[0].timeout.connect: unknown key "connect"; write it under the timeout of the service',
    ],
  ])('refuses %s', (route, first) => {
    expect(said(withRoutes(route))).toContain(first);
  });

  it('counts each of those as one mistake', () => {
    for (const route of ['path: /x', 'match: {}', 'match: /x']) expect(said(withRoutes(route))).toHaveLength(1);
  });

  it('knows headers by their exact value or by their presence', () => {
    const { routes } = parsed(withRoutes('match: {prefix: /, headers: {A: "true", B: true, C: 1.0}}')).routing;
    expect(routes[0]?.match.headers).toEqual([
      { name: 'a', value: { kind: 'exact', text: 'true' } },
      { name: 'b', value: { kind: 'present' } },
      { name: 'c', value: { kind: 'exact', text: '1.0' } },
    ]);
  });

  it.each(['/', '/x', '/x/'])('lets /v1 be rewritten to %s', (prefix) => {
    const { routes } = parsed(withRoutes(`match: {prefix: /v1}, rewrite: {prefix: ${prefix}}`)).routing;
    expect(routes[0]).toMatchObject({ rewrite: { path: { kind: 'prefix', prefix } } });
  });

  it('tells of a route that leads nowhere', () => {
    expect(said('version: 1\nroutes: [{match: {path: /}, service: x}]')).toEqual([
      'routes[0].service: there is no service "x"; write it under services',
    ]);
    expect(said(withRoutes('match: {path: /}').replace('service: s,', 'service: other,'))).toEqual([
      'routes[0].service: there is no service "other"; the services are s',
    ]);
  });

  it('tries exact paths first, then the longest prefix, then regexes, else the order of the file', () => {
    const routes = ['regex: "/b+"', 'prefix: /', 'prefix: /a', 'path: /z', 'prefix: /a/', 'path: /b', 'prefix: /c'];
    const sorted = parsed(withRoutes(...routes.map((match) => `match: {${match}, hosts: [h${match.length}.x]}`)));
    expect(sorted.routing.routes.map(({ name }) => name)).toEqual(
      [3, 5, 4, 2, 6, 1, 0].map((index) => `routes[${index}]`),
    );
  });

  it('names the route that hides another one', () => {
    expect(
      said(
        withRoutes(
          'match: {path: /a}',
          'match: {path: /a}',
          'match: {path: /a, methods: [GET]}',
          'match: {prefix: /v1.0}',
          'match: {regex: "/v1.0/x.*"}',
        ).replace('v1.0/x', 'v1\\\\.0/x'),
      ),
    ).toEqual([
      'routes[1].match: matches the same requests as routes[0] on line 4; remove one of the two, or narrow one by hosts, methods, headers or query',
    ]);
    expect(said(withRoutes('match: {prefix: /v1}', 'match: {regex: /v1/x.*}'))).toEqual([
      'routes[1].match: never used: routes[0] on line 4 takes all of its requests, for a prefix is tried before a regex; write this one as path or longer prefix, or routes[0] as a regex ("/v1(/.*)?") below this one',
    ]);
  });

  it('says only what is wrong with a match, not what it might hide', () => {
    expect(said(withRoutes('match: {path: /a}', 'match: {path: /a, methods: [FETCH]}'))).toHaveLength(1);
  });
});

describe('listen of version 1', () => {
  const listen = (text: string) => `version: 1\nlisten: ${text}\nroutes: []`;

  it('starts relative file names from the folder of the route file', () => {
    expect(parsed(listen('{tls: {cert: a.crt, key: /b.key}}')).routing.listeners[0]).toEqual({
      name: 'public',
      address: '0.0.0.0',
      port: 8080,
      tls: { certificates: [{ kind: 'files', cert: '/etc/sluice/a.crt', key: '/b.key' }] },
    });
  });

  it.each([
    ['"::1"', '::1'],
    ['"[FE80:0::1]"', 'fe80::1'],
    ['127.0.0.1', '127.0.0.1'],
  ])('takes the address %s', (written, address) => {
    expect(parsed(listen(`{address: ${written}}`)).routing.listeners[0]?.address).toBe(address);
  });

  it.each([
    ['{address: localhost}', 'listen.address: not an IP address: "localhost"; write 127.0.0.1'],
    [
      '{address: 10.0.0.1/8}',
      'listen.address: not an IP address: "10.0.0.1/8"; write one such as 0.0.0.0 (all), 127.0.0.1 or "::"',
    ],
    ['{port: 65536}', 'listen.port: must be a whole number from 1 to 65,535, not 65536; write one such as 8080'],
    ['8080', 'listen: must be a map of address, port and tls, not "8080"; write listen: {port: 8080}'],
  ])('refuses %s', (written, line) => {
    expect(said(listen(written))).toEqual([line]);
  });
});

describe('a pod at the address where Envoy takes requests', () => {
  const at = (listen: string, pods: string) =>
    said(
      `version: 1\nlisten: {${listen}}\nservices: {s: {${pods}, limit: 1}}\nroutes: [{match: {prefix: /}, service: s}]\n`,
    );
  const told = (address: string) => [
    expect.stringContaining(`: ${address} is where Envoy takes requests (listen.port)`),
  ];

  it.each([
    ['port: 8080', 'static: [127.0.0.1:8080]', '127.0.0.1:8080'],
    ['port: 8080', 'static: [10.0.0.1:8080, 0.0.0.0:8080]', '0.0.0.0:8080'],
    ['port: 8080', 'dns: {host: localhost, port: 8080}', '127.0.0.1:8080'],
    ['port: 8080, address: "::"', 'static: ["[::1]:8080"]', '[::1]:8080'],
    ['port: 8080, address: 10.0.0.1', 'static: [10.0.0.1:8080]', '10.0.0.1:8080'],
  ])('{%s} {%s} is an error', (listen, pods, address) => {
    expect(at(listen, pods)).toEqual(told(address));
  });

  it.each([
    ['port: 8080', 'static: [127.0.0.1:8081, 10.0.0.1:8080, "[::1]:8080"]'],
    ['port: 8080, address: 10.0.0.1', 'static: [127.0.0.1:8080]'],
    ['port: 8080', 'dns: {host: pod.example, port: 8080}'],
  ])('{%s} {%s} is none', (listen, pods) => {
    expect(at(listen, pods)).toEqual([]);
  });
});

describe('which route comes first', () => {
  const order = (...matches: readonly string[]) =>
    parsed(withRoutes(...matches.map((match) => `match: ${match}`))).routing.routes.map(({ name }) =>
      Number(/\d+/.exec(name)?.[0]),
    );

  it('host before path, then path, then conditions, then the file', () => {
    expect(order('{prefix: /api}', '{prefix: /, hosts: [foo.com]}')).toEqual([1, 0]);
    expect(order('{path: /x}', '{prefix: /x, hosts: ["*.com"]}', '{regex: "/.*", hosts: [a.foo.com]}')).toEqual([
      2, 1, 0,
    ]);
    expect(order('{prefix: /, hosts: ["*.com"]}', '{prefix: /, hosts: ["*.foo.com"]}')).toEqual([1, 0]);
    expect(order('{prefix: /a}', '{path: /a}', '{prefix: /ab}')).toEqual([1, 2, 0]);
    expect(order('{prefix: /}', '{prefix: /, methods: [GET]}', '{prefix: /, headers: {a: "1"}}')).toEqual([1, 2, 0]);
    expect(order('{prefix: /, methods: [GET]}', '{prefix: /, methods: [PUT]}')).toEqual([0, 1]);
  });

  it('a route for several kinds of hosts is hidden only where each of them is', () => {
    const hidden = (...matches: readonly string[]) =>
      said(withRoutes(...matches.map((match) => `match: ${match}`))).filter((line) =>
        /never used|same requests/.test(line),
      );
    expect(hidden('{prefix: /, hosts: ["*.com"]}', '{prefix: /, hosts: [foo.com, "*.com"]}')).toEqual([]);
    expect(hidden('{prefix: /, hosts: [foo.com, "*.com"]}', '{prefix: /, hosts: [foo.com]}')).toHaveLength(1);
    expect(hidden('{prefix: /, hosts: [foo.com, "*.com"]}', '{prefix: /, hosts: ["*.com", foo.com]}')).toHaveLength(1);
  });
});
