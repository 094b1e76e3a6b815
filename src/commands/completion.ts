import { Argument, type Command } from 'commander';
import { COMPLETION_SCRIPTS, type CompletionCommand, SHELLS, type Shell } from './completion-scripts.ts';

/** `sluice completion SHELL`. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print what completes the command line in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(sluice completion bash)\n  source <(sluice completion zsh)\n  sluice completion fish | source\n\nWrite the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish to have it in every shell.',
    )
    .action((shell: Shell) => {
      process.stdout.write(COMPLETION_SCRIPTS[shell](completionCommands(program)));
    });
}

/** What can be completed: every command that `program` has by now, with its options. */
export function completionCommands(program: Command): readonly CompletionCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    choices: command.registeredArguments[0]?.argChoices ?? [],
    options: command.options
      .filter(({ long, hidden }) => long !== undefined && long !== null && !hidden)
      .map(({ long, short, description, required, optional, argChoices }) => ({
        long: long ?? '',
        ...(short === undefined || short === null ? {} : { short }),
        description,
        value: required || optional,
        choices: argChoices ?? [],
      })),
  }));
}
