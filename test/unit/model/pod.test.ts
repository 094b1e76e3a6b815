import { expect, test } from 'vitest';
import { normalizePods } from '../../../src/model/pod.ts';

test('pods are sorted by address and port, each once, ready before draining', () => {
  expect(
    normalizePods([
      { ip: '10.0.0.2', port: 80, state: 'ready' },
      { ip: '10.0.0.1', port: 81, state: 'draining' },
      { ip: '10.0.0.1', port: 80, state: 'draining' },
      { ip: '10.0.0.1', port: 80, state: 'ready' },
      { ip: '10.0.0.2', port: 80, state: 'draining' },
    ]),
  ).toEqual([
    { ip: '10.0.0.1', port: 80, state: 'ready' },
    { ip: '10.0.0.1', port: 81, state: 'draining' },
    { ip: '10.0.0.2', port: 80, state: 'ready' },
  ]);
});
