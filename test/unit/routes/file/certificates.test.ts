import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatProblem } from '../../../../src/model/problem.ts';
import { namedFiles, readCertificates } from '../../../../src/routes/file/certificates.ts';
import { parseRouteFile } from '../../../../src/routes/file/parse.ts';

let folder = '';
const at = (name: string) => join(folder, name);

/** A certificate signed by itself, valid for so many days, with a key as `req -newkey` takes it. */
function make(name: string, { days = 30, key = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] } = {}): void {
  const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
  const args = ['req', '-x509', '-newkey', ...key, '-nodes', ...files, '-subj', `/CN=${name}`, '-days', `${days}`];
  execFileSync('openssl', args, { stdio: 'ignore' });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-certificates-'));
  make('good');
  make('other');
  make('short', { days: 2 });
  make('small', { key: ['rsa:1024'] });
  make('odd', { key: ['ed25519'] });
  writeFileSync(at('garbage'), 'no PEM at all');
  writeFileSync(at('half'), readFileSync(at('good.crt'), 'utf8').slice(0, 300));
  writeFileSync(at('chain'), readFileSync(at('other.crt'), 'utf8') + readFileSync(at('good.crt'), 'utf8'));
  writeFileSync(at('broken'), readFileSync(at('good.crt'), 'utf8').replace(/[A-Za-z0-9+/]{60}/, 'A'.repeat(60)));
  const encrypt = ['pkey', '-in', at('good.key'), '-aes256', '-passout', 'pass:x', '-out', at('encrypted')];
  execFileSync('openssl', encrypt, { stdio: 'ignore' });
});
afterAll(() => rmSync(folder, { recursive: true }));

async function read(cert: string, key: string, now = Date.now()) {
  const text = `version: 1\nlisten: {port: 8443, tls: {cert: ${cert}, key: ${key}}}\nroutes: []\n`;
  const file = parseRouteFile(text, { path: 'r.yaml', env: {}, baseDir: folder });
  if (!file.ok) throw new Error(file.errors.map(formatProblem).join('\n'));
  const found = await readCertificates(file.value.routing, 'r.yaml', now);
  const lines = found.problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));
  return { ...found, lines, named: namedFiles(file.value.routing) };
}

describe('the files of a certificate', () => {
  it('are read: their contents are what Envoy gets', async () => {
    const { routing, lines, named } = await read('good.crt', 'good.key');
    expect(lines).toEqual([]);
    expect(named).toEqual([at('good.crt'), at('good.key')]);
    expect(routing?.listeners[0]?.tls?.certificates).toEqual([
      {
        kind: 'inline',
        name: 'public',
        cert: readFileSync(at('good.crt'), 'utf8'),
        key: readFileSync(at('good.key'), 'utf8'),
      },
    ]);
  });

  it.each([
    ['no.crt', 'good.key', 'r.yaml: listen.tls.cert: no.crt: there is no such file; create it, or name another one'],
    ['good.crt', 'no.key', 'r.yaml: listen.tls.key: no.key: there is no such file; create it, or name another one'],
    ['.', 'good.key', 'r.yaml: listen.tls.cert: '],
    ['garbage', 'good.key', 'r.yaml: listen.tls.cert: garbage: holds no certificate in PEM form; write PEM: '],
    ['half', 'good.key', 'r.yaml: listen.tls.cert: half: holds no certificate in PEM form; write PEM: '],
    ['broken', 'good.key', 'r.yaml: listen.tls.cert: broken: certificate 1 in it cannot be read: '],
    ['good.crt', 'garbage', 'r.yaml: listen.tls.key: garbage: holds no private key in PEM form ('],
    [
      'good.key',
      'good.key',
      'r.yaml: listen.tls.cert: good.key: holds a private key and no certificate; are the two files swapped?',
    ],
    [
      'good.crt',
      'good.crt',
      'r.yaml: listen.tls.key: good.crt: holds a certificate and no private key; are the two files swapped?',
    ],
    [
      'good.crt',
      'encrypted',
      'r.yaml: listen.tls.key: encrypted: the key is encrypted, and nobody is there to give the passphrase; ',
    ],
    [
      'good.crt',
      'other.key',
      'r.yaml: listen.tls.key: other.key: is not the key of the certificate in good.crt; name the two that belong together',
    ],
    [
      'chain',
      'good.key',
      'r.yaml: listen.tls.key: good.key: is not the key of the certificate in chain; put the certificate of this key first in its file: ',
    ],
    ['small.crt', 'small.key', 'r.yaml: listen.tls.key: small.key: an RSA key of 1024 bits is too small for Envoy; '],
    ['odd.crt', 'odd.key', 'r.yaml: listen.tls.key: odd.key: Envoy serves no TLS with a key of ed25519; '],
  ])('%s with %s cannot be used', async (cert, key, beginning) => {
    const { routing, lines } = await read(cert, key);
    expect(routing).toBeUndefined();
    expect(lines).toHaveLength(1);
    expect(lines[0]?.startsWith(beginning)).toBe(true);
  });

  it('both are told of when both are missing', async () => {
    expect((await read('no.crt', 'no.key')).lines).toHaveLength(2);
  });

  it('one that has expired, or soon will, is used with a warning', async () => {
    const soon = await read('short.crt', 'short.key');
    expect(soon.routing).toBeDefined();
    expect(soon.lines).toEqual([
      expect.stringMatching(/^r.yaml: warning: listen.tls.cert: short.crt: expires on .*; renew it soon$/),
    ]);
    const late = await read('good.crt', 'good.key', Date.now() + 40 * 24 * 3_600_000);
    expect(late.routing).toBeDefined();
    expect(late.lines).toEqual([
      expect.stringMatching(/^r.yaml: warning: listen.tls.cert: good.crt: expired on .*; renew it: clients refuse it$/),
    ]);
    const early = await read('good.crt', 'good.key', Date.now() - 24 * 3_600_000);
    expect(early.lines).toEqual([expect.stringContaining('is not valid before')]);
  });
});
