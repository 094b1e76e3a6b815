import type { Command } from 'commander';
import { routeFileSchema } from '../routes/file/schema.ts';

/** `sluice schema`. */
export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of the route file, by which editors check and complete it')
    .addHelpText(
      'after',
      [
        '\nExample:',
        '  sluice schema > sluice.schema.json',
        '\nThen the first line of your route file is',
        '  # yaml-language-server: $schema=./sluice.schema.json',
      ].join('\n'),
    )
    .action(() => {
      process.stdout.write(`${JSON.stringify(routeFileSchema(), null, 2)}\n`);
    });
}
