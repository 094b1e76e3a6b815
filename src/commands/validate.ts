import type { Command } from 'commander';
import { formatProblem } from '../model/problem.ts';
import { readRouteFile } from '../routes/file/read.ts';
import { EXIT, failWith } from './exit.ts';

/** `sluice validate FILE`. */
export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('check a route file and print everything that is wrong with it')
    .argument('<file>', 'the route file')
    .addHelpText('after', '\nExample:\n  sluice validate routes.yaml\n\nExit codes: 0 it can be used, 2 it cannot.')
    .action(async (file: string) => {
      const read = await readRouteFile(file, process.env);
      if (!read.ok) {
        failWith(EXIT.badInput, read.errors.map(formatProblem));
        return;
      }
      const { routing, warnings } = read.value;
      for (const warning of warnings) process.stderr.write(`${formatProblem(warning)}\n`);
      process.stdout.write(
        `${file}: ok, ${count(routing.services.length, 'service')}, ${count(routing.routes.length, 'route')}\n`,
      );
    });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
