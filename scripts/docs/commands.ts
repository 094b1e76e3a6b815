import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownFiles, ROOT } from './files.ts';

/** A command line that a document tells its reader to run. */
export interface DocumentCommand {
  readonly file: string;
  /** Without comments, on one line. */
  readonly line: string;
}

/** Every command line in the shell blocks of the project's documents. */
export function documentCommands(): readonly DocumentCommand[] {
  return markdownFiles().flatMap((file) =>
    shellBlocks(readFileSync(join(ROOT, file), 'utf8')).flatMap((block) =>
      commandLines(block).map((line) => ({ file, line })),
    ),
  );
}

/** What stands in the shell blocks of a Markdown file. */
export function shellBlocks(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
}

/** The commands of a block: what continues on the next line is joined, what `&&` connects is taken apart. */
export function commandLines(block: string): readonly string[] {
  return block
    .replaceAll(/<<'(\w+)'\n.*?^\1$/gms, '<<text')
    .replaceAll(/ *\\\n */g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s\s+)#.*$/, '').trim())
    .flatMap((line) => line.split(' && '))
    .filter((line) => line !== '');
}

/**
 * Where each command of the documents is run: by the first pattern that it matches. The reason stands here where one
 * cannot be run in a test.
 */
export const RUN_IN: readonly (readonly [RegExp, string])[] = [
  [/^(npm run sluice --|sluice) /, 'test/e2e/documents.test.ts'],
  [/^curl --no-progress-meter -Z /, 'test/e2e/quick-start.test.ts'],
  [/^(sed|cat|cp|kill) /, 'test/e2e/quick-start.test.ts'],
  [/^curl .*127\.0\.0\.1:9901/, 'test/e2e/documents.test.ts'],
  [/^(kubectl|helm) /, 'test/kube/documents.test.ts'],
  [/^npm start/, 'test/e2e/start.test.ts'],
  // Whether there is such a script, and such an option: running all tests in a test leads nowhere.
  [/^npm (test|run [\w:]+)/, 'test/unit/docs/contents.test.ts'],
  [/^\$EDITOR /, 'test/unit/docs/commands.test.ts'],
  // Needs a Docker daemon, and a registry that may be written to.
  [/^docker (build|push|compose) /, 'test/unit/k8s/contents.test.ts'],
];
