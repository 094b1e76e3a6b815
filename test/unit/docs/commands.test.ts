import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commandLines, documentCommands, RUN_IN } from '../../../scripts/docs/commands.ts';
import { ROOT } from '../../../scripts/docs/files.ts';

const commands = documentCommands();

test('every command of the documents is one that a test runs', () => {
  expect(commands.length).toBeGreaterThan(40);
  const unknown = commands.filter(({ line }) => !RUN_IN.some(([pattern]) => pattern.test(line)));
  expect(unknown.map(({ file, line }) => `${file}: ${line}`)).toEqual([]);
});

test('the tests that run them exist, and each pattern is needed', () => {
  for (const [pattern, file] of RUN_IN) {
    expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
    expect([pattern, commands.some(({ line }) => pattern.test(line))]).toEqual([pattern, true]);
  }
});

test('every file that is to be edited exists', () => {
  const files = commands.flatMap(({ line }) => /^\$EDITOR (\S+)$/.exec(line)?.[1] ?? []);
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('a block is taken apart', () => {
  const block = "a --b \\\n  --c   # why\nd && e\n# nothing\n\ncat > f <<'END'\ng\nEND\nh 'x#y'\n";
  expect(commandLines(block)).toEqual(['a --b --c', 'd', 'e', 'cat > f <<text', "h 'x#y'"]);
});
