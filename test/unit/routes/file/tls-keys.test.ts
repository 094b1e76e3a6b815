import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { namedFiles, readCertificates } from '../../../../src/routes/file/certificates.ts';
import { parseRouteFile } from '../../../../src/routes/file/parse.ts';

const options = { path: 'routes.yaml', env: {}, baseDir: '/etc/sluice' };

function parsed(text: string) {
  const result = parseRouteFile(text, options);
  if (!result.ok) throw new Error(result.errors.map(formatProblem).join('\n'));
  return result.value.routing;
}

const withService = (keys: string, where = 'static: [10.0.0.1:443]') =>
  `version: 1\nservices: {s: {${where}, ${keys}}}\nroutes: [{match: {prefix: /}, service: s}]`;

const serviceOf = (keys: string, where?: string) => parsed(withService(keys, where)).services[0];

describe('TLS to pods', () => {
  it.each([
    ['protocol: https', undefined, 'http1', { authorities: { kind: 'system' }, names: [] }],
    [
      'protocol: h2',
      'dns: {host: a.example, port: 443}',
      'h2c',
      { serverName: 'a.example', authorities: { kind: 'system' }, names: [{ kind: 'dns', value: 'a.example' }] },
    ],
    [
      'protocol: https, tls: {ca: ca.crt, name: b.example}',
      undefined,
      'http1',
      {
        serverName: 'b.example',
        authorities: { kind: 'file', path: '/etc/sluice/ca.crt' },
        names: [{ kind: 'dns', value: 'b.example' }],
      },
    ],
    ['protocol: https, tls: {verify: off}', undefined, 'http1', { authorities: { kind: 'any' }, names: [] }],
  ] as const)('%s', (keys, where, protocol, tls) => {
    expect(serviceOf(keys, where)).toMatchObject({ protocol, tls });
  });

  it('is not there without being asked for', () => {
    expect(serviceOf('protocol: h2c')?.tls).toBeUndefined();
  });

  it.each([
    [
      'tls: {name: a.example}',
      'services.s.tls: means nothing with protocol http1; remove it, or write protocol: https',
    ],
    [
      'protocol: https, tls: {ca: a, verify: off}',
      'services.s.tls.ca: is not looked at with verify: off; remove one of the two',
    ],
    ['protocol: https, tls: {insecure: true}', 'services.s.tls.insecure: unknown key "insecure"; write verify: off'],
  ])('%s is told', (keys, line) => {
    const result = parseRouteFile(withService(keys), options);
    expect(result.ok ? [] : result.errors.map(formatProblem).map((text) => text.replace(/^[^ ]+ /, ''))).toEqual([
      line,
    ]);
  });
});

describe('plain HTTP beside TLS', () => {
  const withRedirect = (port: number, redirect: string) => `version: 1
listen: {port: ${port}, tls: {cert: a.crt, key: a.key, redirect: ${redirect}}}
services: {s: {static: [10.0.0.1:80]}}
routes: [{match: {prefix: /}, service: s}]
`;

  it.each([
    [443, '{from: 80}', { scheme: 'https', status: 308 }],
    [8443, '{from: 80}', { scheme: 'https', port: 8443, status: 308 }],
    [8443, '{from: 80, to: 443}', { scheme: 'https', status: 308 }],
    [8443, '{from: 8080, to: 443}', { scheme: 'https', port: 443, status: 308 }],
  ])('is sent to port %i, as %s says', (port, keys, redirect) => {
    const { listeners, routes } = parsed(withRedirect(port, keys));
    expect(listeners.map((one) => [one.port, one.tls !== undefined])).toEqual([
      [port, true],
      [Number(/\d+/.exec(keys)), false],
    ]);
    const [own, toHttps] = routes;
    expect(own?.listeners).toEqual([listeners[0]?.name]);
    expect(toHttps).toEqual({
      kind: 'redirect',
      name: 'listen.tls.redirect',
      listeners: [listeners[1]?.name],
      match: { path: { kind: 'prefix', prefix: '/' }, hosts: [], methods: [], headers: [], query: [] },
      redirect,
    });
  });

  it('has a port of its own', () => {
    const result = parseRouteFile(withRedirect(443, '{from: 443}'), options);
    expect(result.ok ? [] : result.errors.map(formatProblem)).toEqual([
      'routes.yaml:2:69: listen.tls.redirect.from: is listen.port, which takes TLS; write the port of plain HTTP, such as 80',
    ]);
  });
});

describe('files that are named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  for (const name of ['a', 'b']) {
    const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
    const subject = ['-subj', `/CN=${name}.example`, '-addext', `subjectAltName=DNS:${name}.example`, '-days', '90'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], {
      stdio: 'ignore',
    });
  }
  writeFileSync(join(folder, 'none.crt'), 'no certificate');

  const file = (ca: string) => `version: 1
listen: {tls: {cert: ${folder}/a.crt, key: ${folder}/a.key, more: [{cert: ${folder}/b.crt, key: ${folder}/b.key}]}}
services: {s: {static: [10.0.0.1:443], protocol: https, tls: {ca: ${folder}/${ca}}}}
routes: [{match: {prefix: /}, service: s}]
`;

  it('are read: every certificate under a name of its own, and the authorities', async () => {
    const routing = parsed(file('a.crt'));
    expect(namedFiles(routing).map((path) => path.slice(folder.length + 1))).toEqual([
      'a.crt',
      'a.key',
      'b.crt',
      'b.key',
    ]);
    const read = await readCertificates(routing, 'routes.yaml', Date.now());
    expect(read.problems).toEqual([]);
    expect(read.routing?.listeners[0]?.tls?.certificates).toMatchObject([
      { kind: 'inline', name: 'public' },
      { kind: 'inline', name: 'public/2' },
    ]);
    expect(read.routing?.services[0]?.tls?.authorities).toMatchObject({ kind: 'pem' });
  });

  it('are told when they are not what they should be', async () => {
    const read = await readCertificates(parsed(file('none.crt')), 'routes.yaml', Date.now());
    expect(read.routing).toBeUndefined();
    expect(read.problems.map(formatProblem)).toEqual([
      `routes.yaml: services.s.tls.ca: ${folder}/none.crt: there is no PEM certificate in it; name the file with the authority's certificate`,
    ]);
  });
});
