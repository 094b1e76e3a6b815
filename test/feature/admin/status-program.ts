import { Command } from 'commander';
import { addStatus } from '../../../src/commands/status.ts';

// `sluice status` and nothing else.
const program = new Command('sluice');
addStatus(program);
await program.parseAsync();
