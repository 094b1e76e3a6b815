import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { markdownFiles, ROOT } from '../../../scripts/docs/files.ts';
import { addCommands } from '../../../src/commands/all.ts';

/** Words that have a better one in docs/glossary.md, and which. */
const OTHERWISE: readonly (readonly [RegExp, string])[] = [
  [/\bin force\b/gi, 'active'],
  [/\bmend(s|ed|ing)?\b/gi, 'resolved, repaired'],
  [/\bgates?\b/gi, 'queue'],
  [/\bparking\b|\bparked\b/gi, 'waiting'],
  [/\bkick(s|ed)?\b/gi, ''],
  [/\bheirs?\b|\bcarriers?\b/gi, 'member'],
  [/\b((wait|waits|waited|waiting|stands?|first) in|left) (one |the |a )?line\b/gi, 'queue'],
  [/\b(the|one|a) lines? (of a service|for|in front|is full|was full|grows|has not)\b/gi, 'queue'],
];

/** What is written instead of the words of the glossary, with some of what is around it. */
function strays(text: string): readonly string[] {
  return OTHERWISE.flatMap(([pattern, better]) =>
    [...text.matchAll(pattern)].map(
      ({ 0: found, index }) => `"${text.slice(Math.max(0, index - 20), index + found.length + 20)}": ${better}`,
    ),
  );
}

/** Without code, where names of other programs stand. */
function prose(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '`code`');
}

test.each(markdownFiles())('%s has the words of the glossary', (file) => {
  expect(strays(prose(readFileSync(join(ROOT, file), 'utf8')))).toEqual([]);
});

test('so has the help of every command', () => {
  const program = new Command('sluice');
  addCommands(program);
  expect(program.commands.length).toBeGreaterThan(10);
  expect(program.commands.flatMap((command) => strays(command.helpInformation()))).toEqual([]);
});

test('others would be noticed', () => {
  const text =
    'The line grows: requests wait in line at the gate, and the last file stays in force until it is mended.';
  expect(strays(text)).toHaveLength(5);
});
