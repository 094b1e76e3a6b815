import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Result } from '../base/result.ts';
import { formatProblem, type Problem } from '../model/problem.ts';
import { fileTitle, readFileText } from '../routes/file/read.ts';
import { importFiles, type SourceText } from '../routes/import/import.ts';
import { formatFinding } from '../routes/import/write.ts';
import { EXIT, failWith } from './exit.ts';

/** `sluice import FILE...`. */
export function addImport(program: Command): void {
  program
    .command('import')
    .description('turn Ingresses, HTTPRoutes, Istio objects or an envoy.yaml into a route file')
    .argument('<files...>', 'manifests and other files, YAML or JSON; - for standard input')
    .option('-o, --output <file>', 'the file to write; - for standard output', '-')
    .addHelpText(
      'after',
      '\nWhat has no place in a route file is told on standard error, with its line and what to do instead. A file that is\nthere already is not touched.\n\nExamples:\n  sluice import ingress.yaml services.yaml > routes.yaml\n  kubectl get ingress,service -o yaml | sluice import - --output routes.yaml\n  sluice import envoy.yaml\n\nExit codes: 0 all of it is there, 1 something was left out, 2 a file cannot be read.',
    )
    .action(importCommand);
}

async function importCommand(files: readonly string[], { output }: { readonly output: string }): Promise<void> {
  const read: Result<SourceText, Problem>[] = [];
  // One after the other: standard input can be read once.
  for (const file of files) {
    const text = await readFileText(file);
    read.push(text.ok ? { ok: true, value: { file: fileTitle(file), text: text.value } } : text);
  }
  const errors = read.flatMap((one) => (one.ok ? [] : one.errors));
  if (errors.length > 0) return failWith(EXIT.badInput, errors.map(formatProblem));
  const result = importFiles(read.flatMap((one) => (one.ok ? [one.value] : [])));
  if (!result.ok) return failWith(EXIT.badInput, result.errors.map(formatProblem));
  const { text, findings } = result.value;
  for (const finding of findings) process.stderr.write(`${formatFinding(finding)}\n`);
  if (!(await put(output, text))) return;
  if (findings.some(({ refused }) => refused)) process.exitCode = EXIT.failed;
}

/** Whether it could be written. */
async function put(output: string, text: string): Promise<boolean> {
  if (output === '-') {
    process.stdout.write(text);
    return true;
  }
  try {
    await writeFile(output, text, { flag: 'wx' });
    return true;
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const why = exists
      ? 'is there already, and was not touched; name another one'
      : `cannot be written: ${String(error)}`;
    failWith(EXIT.failed, [`${output} ${why}`]);
    return false;
  }
}
