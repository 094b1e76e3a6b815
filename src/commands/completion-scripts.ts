/** A command or an option, as shells complete it. */
export interface CompletionOption {
  /** `--json` */
  readonly long: string;
  /** `-r`, where there is one. */
  readonly short?: string;
  readonly description: string;
  /** Whether a value follows. */
  readonly value: boolean;
  /** The only values it may have; empty: a file, or anything. */
  readonly choices: readonly string[];
}

/** A command with what can follow it. */
export interface CompletionCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** The words its argument may be; empty: files. */
  readonly choices: readonly string[];
}

/** The shells there is a script for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** A shell's name. */
export type Shell = (typeof SHELLS)[number];

/** The script that tells a shell what may follow `sluice`. */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, (commands: readonly CompletionCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `text` as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function flags({ long, short }: CompletionOption): readonly string[] {
  return short === undefined ? [long] : [short, long];
}

function bashScript(commands: readonly CompletionCommand[]): string {
  const words = commands.map(({ name, options, choices }) => {
    const all = options.flatMap(({ long }) => long).join(' ');
    return `    ${name}) options=${quoted(all)} words=${quoted(choices.join(' '))} ;;`;
  });
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap((option) => {
      if (!option.value) return [];
      const pattern = flags(option).map((flag) => `${name}:${flag}`);
      const reply =
        option.choices.length === 0
          ? `mapfile -t COMPREPLY < <(compgen -f -- "$word")`
          : `mapfile -t COMPREPLY < <(compgen -W ${quoted(option.choices.join(' '))} -- "$word")`;
      return [`    ${pattern.join(' | ')}) ${reply}; return ;;`];
    }),
  );
  return `# Completion of sluice for bash: source <(sluice completion bash)
_sluice() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} options='' words=''
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W ${quoted(commands.map(({ name }) => name).join(' '))} -- "$word")
    return
  fi
  case $command:$before in
${values.join('\n')}
  esac
  case $command in
${words.join('\n')}
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -F _sluice sluice
`;
}

/** What zsh would read as part of its own notation in a description. */
function zshText(text: string): string {
  return text.replace(/[\\[\]:]/g, String.raw`\$&`);
}

function zshScript(commands: readonly CompletionCommand[]): string {
  const names = commands.map(({ name, description }) => `    ${quoted(`${name}:${zshText(description)}`)}`);
  const cases = commands.map(({ name, options, choices }) => {
    const lines = options.flatMap((option) =>
      flags(option).map((flag) => {
        const values = option.choices.length === 0 ? '_files' : `(${option.choices.join(' ')})`;
        return quoted(`*${flag}[${zshText(option.description)}]${option.value ? `:value:${values}` : ''}`);
      }),
    );
    const rest = quoted(choices.length === 0 ? '*:file:_files' : `1:word:(${choices.join(' ')})`);
    return `    (${name}) _arguments ${[...lines, rest].join(' \\\n      ')} ;;`;
  });
  return `#compdef sluice
# Completion of sluice for zsh: source <(sluice completion zsh), or this file as _sluice in a folder of $fpath.
_sluice() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function fishScript(commands: readonly CompletionCommand[]): string {
  const lines = commands.flatMap(({ name, description, options, choices }) => {
    const within = `-n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
    return [
      `complete -c sluice -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
      ...(choices.length === 0
        ? [`complete -c sluice -F ${within}`]
        : [`complete -c sluice -f ${within} -a ${quoted(choices.join(' '))}`]),
      ...options.map((option) => {
        const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
        const values = option.choices.length === 0 ? ' -r' : ` -x -a ${quoted(option.choices.join(' '))}`;
        const value = option.value ? values : '';
        return `complete -c sluice ${within} -l ${option.long.slice(2)}${short}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# Completion of sluice for fish: sluice completion fish | source\n${lines.join('\n')}\n`;
}
