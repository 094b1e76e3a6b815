import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

const INGRESS = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
`;

function folder() {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-import-'));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  return (args: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd, encoding: 'utf8', input });
    return { status, stdout, stderr, cwd };
  };
}

test('what it writes can be used, and what is not in it is told with its line', () => {
  const run = folder();
  const { status, stderr, cwd } = run(['import', '-', '--output', 'routes.yaml'], INGRESS);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^standard input:6: Ingress web: affinity is not carried over; .+\n$/);
  const checked = run(['validate', 'routes.yaml']);
  expect(checked).toMatchObject({ status: 0, stdout: 'routes.yaml: ok, 1 service, 1 route\n' });
  const before = readFileSync(join(cwd, 'routes.yaml'), 'utf8');
  expect(run(['import', '-', '-o', 'routes.yaml'], INGRESS)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('is there already'),
  });
  expect(readFileSync(join(cwd, 'routes.yaml'), 'utf8')).toBe(before);
});

test('ends with 0 when all of it is there, and with 2 when a file cannot be read', () => {
  const run = folder();
  const whole = run(['import', '-'], INGRESS.replace(/ {2}annotations:\n.*\n/, ''));
  expect(whole).toMatchObject({ status: 0, stderr: '' });
  expect(whole.stdout).toContain('service: web');
  expect(run(['import', 'nowhere.yaml'])).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('nowhere.yaml: there is no such file'),
  });
  const { cwd } = run(['schema']);
  writeFileSync(join(cwd, 'bad.yaml'), 'a: [1');
  expect(run(['import', 'bad.yaml'])).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringMatching(/^bad\.yaml:1:\d+: a bracket is not closed/),
  });
});

test('validate of such a file says what its objects would be told, and explain which of its paths a request takes', () => {
  const run = folder();
  expect(run(['validate', '-'], INGRESS)).toMatchObject({
    status: 0,
    stdout: 'standard input: ok, 1 service, 1 route\n',
    stderr: expect.stringContaining('affinity is not carried over'),
  });
  expect(run(['explain', '-', '/x'], INGRESS)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Ingress default/web defaultBackend (standard input:8) takes it'),
  });
  expect(run(['render', '-'], INGRESS)).toMatchObject({ status: 0, stdout: expect.stringContaining('default/web/80') });
});
