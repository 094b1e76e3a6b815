#!/usr/bin/env node
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { Command, CommanderError } from 'commander';
import { VERSION } from './base/version.ts';
import { addCommands } from './commands/all.ts';
import { EXIT } from './commands/exit.ts';

// Its errors reach the user in Sluice's own words; lines of its own on standard error only repeat them.
setLogVerbosity(logVerbosity.NONE);

// Whoever reads this has had enough (`sluice render FILE | head`): the rest is written to nobody. What cannot be written
// for another reason has failed, but a service goes on without it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  process.exitCode = EXIT.failed;
  process.stderr.write(`standard output cannot be written: ${error.message}\n`);
});
// Nobody is left to be told.
process.stderr.on('error', () => {});

const program = new Command('sluice')
  .version(VERSION)
  .description('Makes Envoy give every pod exactly as many requests as you allow; the others wait in a queue.')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 it failed, 2 bad input. `sluice COMMAND --help` has an example of each command.',
  )
  .exitOverride();
addCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version are no mistakes; everything else that commander refuses is.
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.badInput;
}
