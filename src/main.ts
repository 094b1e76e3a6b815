#!/usr/bin/env node
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { Command, CommanderError } from 'commander';
import { VERSION } from './base/version.ts';
import { addCommands } from './commands/all.ts';
import { EXIT } from './commands/exit.ts';

// Its errors reach the user in Sluice's own words; lines of its own on standard error only repeat them.
setLogVerbosity(logVerbosity.NONE);

// Whoever reads this has had enough (`sluice render FILE | head`): the rest is written to nobody.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const program = new Command('sluice')
  .version(VERSION)
  .description('Envoy control plane: every pod exactly as busy as you allow, everything else waits in one line.')
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
