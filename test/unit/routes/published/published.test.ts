import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assertNever } from '../../../../src/base/assert-never.ts';
import { describeClients } from '../../../../src/model/ip-range.ts';
import type { Backend, Route } from '../../../../src/model/route.ts';
import { importFiles } from '../../../../src/routes/import/import.ts';
import { formatFinding } from '../../../../src/routes/import/write.ts';
import { assume } from '../../../../src/routes/manifests/assume.ts';
import type { Translation } from '../../../../src/routes/objects/translation.ts';
import { objectsOf, secretFor, translated } from '../ingress/world.ts';
import { translatedIstio } from '../istio/world.ts';

/*
 * Manifests with the features of those that people publish, and beside each in a `.txt` what becomes of it: its routes, what it is
 * told when it is watched, and what `sluice import` says. Written anew by `npm run test:golden -- test/unit/routes/published`.
 */

const HERE = new URL('.', import.meta.url);

function filesOf(folder: string): readonly string[] {
  return readdirSync(new URL(folder, HERE)).filter((file) => file.endsWith('.yaml'));
}

/** `https shop.example /api* [x-canary] → 90% shop/web/80 + 10% shop/next/80, path / …` */
function lineOf(route: Route): string {
  const { path, hosts, methods, headers, query } = route.match;
  const taken =
    path.kind === 'regex'
      ? `~ ${path.regex}`
      : path.kind === 'exact'
        ? `= ${path.path}`
        : `${path.prefix}${path.kind === 'start' ? '*' : ''}`;
  const conditions = [...methods, ...headers.map(({ name }) => name), ...query.map(({ name }) => `?${name}`)];
  const at = route.listeners.map((name) => name.split('/')[1]).join('+');
  return `  ${at} ${hosts.join(' ') || '*'} ${taken}${conditions.length === 0 ? '' : ` [${conditions.join(', ')}]`} → ${targetOf(route)}`;
}

function targetOf(route: Route): string {
  const cors = route.cors === undefined ? '' : ', CORS';
  switch (route.kind) {
    case 'redirect':
      return `redirect ${JSON.stringify(route.redirect)}`;
    case 'answer':
      return `answer ${route.status}`;
    case 'forward': {
      const sum = route.backends.reduce((all, { weight }) => all + weight, 0);
      const nameOf = (one: Backend) => (one.kind === 'service' ? one.service : 'nobody (500)');
      const to = route.backends.map((one) =>
        route.backends.length === 1 ? nameOf(one) : `${(100 * one.weight) / sum}% ${nameOf(one)}`,
      );
      const { rewrite, requestTimeout, mirrors = [] } = route;
      const more = [
        ...(rewrite === undefined ? [] : [`rewrite ${JSON.stringify(rewrite)}`]),
        ...(requestTimeout === undefined ? [] : [`at most ${requestTimeout} ms`]),
        ...mirrors.map(({ service, perMillion }) => `${perMillion / 10_000}% mirrored to ${service}`),
      ];
      const clients = route.clients === undefined ? '' : ` (${describeClients(route.clients)})`;
      return [to.join(' + '), ...more].join(', ') + cors + clients;
    }
    default:
      return assertNever(route);
  }
}

function summary({ part, told = [] }: Translation, file: string, text: string): string {
  const imported = importFiles([{ file, text }]);
  if (!imported.ok) throw new Error(JSON.stringify(imported.errors));
  const findings = imported.value.findings.map((finding) => `  ${formatFinding(finding)}`);
  const services = part.services.map((service) => {
    const { name, protocol, tls, discipline, timeout } = service;
    const limit =
      discipline.kind === 'limited'
        ? `limit ${discipline.limit}, queue ${discipline.queue.timeout} ms`
        : discipline.balance;
    return `  ${name}: ${protocol}${tls === undefined ? '' : ` in TLS (${tls.authorities.kind})`}, ${limit}, connect ${timeout.connect} ms`;
  });
  const told1 = told.flatMap(({ type, object, note }) =>
    note.split('\n').map((line) => `  ${type} ${object.metadata.name}: ${line}`),
  );
  const block = (title: string, lines: readonly string[]) => [title, ...(lines.length === 0 ? ['  nothing'] : lines)];
  return [
    ...block('routes', part.routes.map(lineOf)),
    ...block('services', services),
    ...block('told', told1),
    ...block('said by sluice import', findings),
    '',
  ].join('\n');
}

function expectGolden(url: URL, text: string): void {
  if (process.env['SLUICE_GOLDEN'] === 'write') writeFileSync(url, text);
  expect(existsSync(url)).toBe(true);
  expect(text).toBe(readFileSync(url, 'utf8'));
}

const secrets = [
  ['shop-tls', 'shop.example'],
  ['grpc-tls', 'grpc.shop.example'],
  ['tenants-tls', '*.tenants.example'],
].map(([name = '', host = '']) => secretFor(name, [host]));

test('there are twenty Ingresses and ten pairs of VirtualService and DestinationRule', () => {
  expect([filesOf('ingress/').length, filesOf('istio/').length]).toEqual([20, 10]);
});

test.each(filesOf('ingress/'))('ingress/%s works, or says what does not', (file) => {
  const text = readFileSync(new URL(`ingress/${file}`, HERE), 'utf8');
  const objects = objectsOf(...secrets, text);
  assume(objects);
  const translation = translated(objects);
  expect(translation.part.routes.length).toBeGreaterThan(0);
  expectGolden(new URL(`ingress/${file.replace('.yaml', '.txt')}`, HERE), summary(translation, file, text));
});

test.each(filesOf('istio/'))('istio/%s works, or says what does not', (file) => {
  const text = readFileSync(new URL(`istio/${file}`, HERE), 'utf8');
  const objects = objectsOf(text);
  assume(objects);
  const translation = translatedIstio(objects);
  expect(translation.part.routes.length).toBeGreaterThan(0);
  expectGolden(new URL(`istio/${file.replace('.yaml', '.txt')}`, HERE), summary(translation, file, text));
});
