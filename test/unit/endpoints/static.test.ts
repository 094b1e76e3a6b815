import { expect, test } from 'vitest';
import { StaticSource } from '../../../src/endpoints/static.ts';
import type { Locator } from '../../../src/model/locator.ts';

const two: Locator = {
  kind: 'static',
  addresses: [
    { ip: '10.0.0.2', port: 80 },
    { ip: '10.0.0.1', port: 80 },
    { ip: '10.0.0.2', port: 80 },
  ],
};
const none: Locator = { kind: 'static', addresses: [] };

test('wanted addresses are ready at once, sorted and each once', () => {
  const source = new StaticSource();
  source.want([two, { kind: 'dns', host: 'a', port: 1 }]);
  expect(source.pods(two)).toEqual({
    kind: 'ready',
    problems: [],
    value: [
      { ip: '10.0.0.1', port: 80, state: 'ready' },
      { ip: '10.0.0.2', port: 80, state: 'ready' },
    ],
  });
});

test('an empty list is ready without pods, an unwanted locator pending', () => {
  const source = new StaticSource();
  source.want([none]);
  expect(source.pods(none)).toMatchObject({ kind: 'ready', value: [] });
  expect(source.pods(two)).toMatchObject({ kind: 'pending' });
});

test('what stays wanted is the same array', () => {
  const source = new StaticSource();
  source.want([two]);
  const before = source.pods(two);
  source.want([none, two]);
  expect(source.pods(two)).toBe(before);
});

test('run ends with its signal', async () => {
  const end = new AbortController();
  const running = new StaticSource().run(end.signal);
  end.abort();
  await running;
  await new StaticSource().run(end.signal);
});
