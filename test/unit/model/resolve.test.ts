import { expect, test } from 'vitest';
import type { Problem } from '../../../src/model/problem.ts';
import { resolve } from '../../../src/model/resolve.ts';
import { parsed } from '../routes/file/kit.ts';

const { routing } = parsed(
  `version: 1
services:
  a: {kubernetes: {namespace: x, service: a, port: 80}, limit: 1}
  b: {kubernetes: {namespace: y, service: b, port: 80}, limit: 1}
  c: {dns: {host: c, port: 80}, limit: 1}
routes:
  - {match: {path: /a}, service: a}
  - {match: {path: /b}, service: b}
  - {match: {path: /c}, service: c}
`,
);

const problemsWith = (problem: Problem) => resolve(routing, () => ({ kind: 'pending', problems: [problem] })).problems;

test('what keeps a whole source from working is told once, however many services it has', () => {
  const fault: Problem = { severity: 'error', subject: 'kubernetes', message: '/no/file: there is no such file' };
  expect(problemsWith(fault).filter(({ subject }) => subject.endsWith('kubernetes'))).toEqual([
    fault,
    { ...fault, subject: 'service c: kubernetes' },
  ]);
});

test('what is about one namespace or host is told for each service', () => {
  const fault: Problem = { severity: 'error', subject: 'kubernetes x', message: 'not allowed' };
  expect(problemsWith(fault).map(({ subject }) => subject)).toEqual([
    'service a: kubernetes x',
    'service b: kubernetes x',
    'service c: kubernetes x',
  ]);
});
