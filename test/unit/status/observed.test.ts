import { expect, test } from 'vitest';
import type { SourceState } from '../../../src/model/source.ts';
import { observed } from '../../../src/status/observed.ts';

test('tells the state at the start and after each change, before those who act on it', async () => {
  const told: string[] = [];
  let state: SourceState<number> = { kind: 'ready', value: 1, problems: [] };
  const source = observed(
    {
      name: 'numbers',
      state: () => state,
      async run(_, changed) {
        state = { kind: 'stale', value: 1, problems: [], since: 0 };
        changed();
      },
    },
    ({ kind }) => told.push(kind),
  );
  await source.run(new AbortController().signal, () => told.push('changed'));
  expect(told).toEqual(['ready', 'stale', 'changed']);
  expect(source.name).toBe('numbers');
  expect(source.state()).toBe(state);
});
