import { expect, test } from 'vitest';
import { formatProblem, type Problem } from '../../../src/model/problem.ts';
import { summarizeEnvoys } from '../../../src/nodes/summary.ts';

const withheld = (id: string, owner = 'a'): Problem => {
  return { severity: 'error', subject: `Envoy ${id}`, message: `does not get codec, which Envoy ${owner} has` };
};
const several = (count: number, owner?: string) =>
  Array.from({ length: count }, (_, at) => withheld(`edge-${at}`, owner));
const lines = (...problems: readonly Problem[]) => summarizeEnvoys(problems).map(formatProblem);

test('a few Envoys are told one by one', () => {
  expect(lines(...several(5))).toEqual(several(5).map(formatProblem));
});

test('many with the same problem are one, whose words do not change with each that comes', () => {
  expect(lines(...several(6))).toEqual([
    'each of 6 Envoys (edge-0, edge-1, edge-2, …): does not get codec, which Envoy a has',
  ]);
  const [line] = lines(...several(8999));
  expect(line).toBe('each of 8,000 or more Envoys (edge-0, edge-1, edge-2, …): does not get codec, which Envoy a has');
  expect(lines(...several(8000))).toEqual([line]);
});

test('other problems stay as they are, each in its place', () => {
  const file: Problem = { severity: 'error', subject: 'routes.yaml', message: 'is missing' };
  const files = Array.from({ length: 9 }, () => file);
  expect(lines(...files, ...several(7), withheld('edge-1', 'b'))).toEqual([
    ...files.map(formatProblem),
    expect.stringContaining('each of 7 Envoys'),
    'Envoy edge-1: does not get codec, which Envoy b has',
  ]);
});
