import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addCommands } from '../../../src/commands/all.ts';
import { completionCommands } from '../../../src/commands/completion.ts';
import { COMPLETION_SCRIPTS, type Shell } from '../../../src/commands/completion-scripts.ts';

const program = new Command('sluice');
addCommands(program);
const commands = completionCommands(program);
const script = (shell: Shell) => COMPLETION_SCRIPTS[shell](commands);

/** What bash offers after these words; the last one is being written. */
function bash(...words: readonly string[]): readonly string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const input = `${script('bash')}\nCOMP_WORDS=(${line})\nCOMP_CWORD=${words.length - 1}\n_sluice\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`;
  const { stdout, stderr } = spawnSync('bash', ['--norc'], { input, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

describe('bash', () => {
  test('offers commands, options, and the values of options', () => {
    expect(bash('sluice', '')).toEqual(commands.map(({ name }) => name));
    expect(bash('sluice', 'val')).toEqual(['validate']);
    expect(bash('sluice', 'validate', '--j')).toEqual(['--json']);
    expect(bash('sluice', 'run', '--log-level', 'd')).toEqual(['debug']);
    expect(bash('sluice', 'completion', 'f')).toEqual(['fish']);
  });

  test('offers files for arguments, and for options that take any value', () => {
    expect(bash('sluice', 'validate', 'package.js')).toEqual(['package.json']);
    expect(bash('sluice', 'run', '-r', 'README')).toEqual(['README.md']);
  });
});

/** What fish offers. */
function fish(line: string): readonly string[] {
  const args = ['--no-config', '-c', `${script('fish')}\ncomplete -C '${line}'`];
  const { stdout, stderr } = spawnSync('fish', args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout
    .trim()
    .split('\n')
    .map((offer) => offer.split('\t')[0] ?? '');
}

const missing = (shell: string) => spawnSync(shell, ['-c', 'true']).status !== 0;
const title = (shell: string) => (missing(shell) ? `${shell} (skipped: it is not installed)` : shell);

describe.skipIf(missing('fish'))(title('fish'), () => {
  test('offers commands, options and values', () => {
    expect([...fish('sluice ')].sort()).toEqual(expect.arrayContaining(commands.map(({ name }) => name).sort()));
    expect(fish('sluice validate --j')).toEqual(['--json']);
    expect(fish('sluice run --log-level d')).toEqual(['debug']);
    expect(fish('sluice completion f')).toEqual(['fish']);
  });
});

describe.skipIf(missing('zsh'))(title('zsh'), () => {
  test('reads the script, and knows every command', () => {
    const input = `autoload -Uz compinit && compinit -u -D\n${script('zsh')}\nprint -- $_comps[sluice]\n`;
    const { stdout, stderr } = spawnSync('zsh', ['-f'], { input, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['_sluice\n', '']);
    for (const { name } of commands) expect(script('zsh')).toContain(`    (${name}) _arguments `);
  });
});
