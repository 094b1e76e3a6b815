import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { formatProblem, type Problem } from '../model/problem.ts';
import { withNamedFiles } from '../routes/file/certificates.ts';
import type { RouteFile } from '../routes/file/parse.ts';
import { fileTitle } from '../routes/file/read.ts';
import { isManifest, readManifests } from '../routes/manifests/read.ts';
import { parseRoutes, type RoutesText, readRoutesText } from '../routes/manifests/read-routes.ts';
import { EXIT, failWith } from './exit.ts';

/** A file with what was read of it. */
interface Checked {
  readonly file: string;
  readonly read: Result<RouteFile, Problem>;
}

interface Options {
  readonly json: boolean;
  readonly withoutFiles: boolean;
}

/** `sluice validate FILE...`. */
export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('check route files, or files of Kubernetes objects, and print everything that is wrong with them')
    .argument(
      '<files...>',
      'the route files, or files of Ingresses, HTTPRoutes, VirtualServices, …; - for standard input',
    )
    .option('--json', 'print the result as JSON', false)
    .option('--without-files', 'do not look at the files it names (certificates): they are elsewhere', false)
    .addHelpText(
      'after',
      '\nExamples:\n  sluice validate routes.yaml\n  sluice validate routes/*.yaml\n  sluice validate - < routes.yaml\n  sluice validate --json routes.yaml\n\nExit codes: 0 all can be used, 2 one cannot.',
    )
    .action(async (files: readonly string[], { json, withoutFiles }: Options) => {
      const texts: { readonly file: string; readonly text: Result<RoutesText, Problem> }[] = [];
      // One after the other: standard input can be read once, and what is said keeps the order of the files.
      for (const file of files) texts.push({ file, text: await readRoutesText(file) });
      const checked = await checkAll(texts, withoutFiles);
      if (json) process.stdout.write(`${JSON.stringify(asJson(checked), null, 2)}\n`);
      else for (const one of checked) tell(one);
      if (checked.some(({ read }) => !read.ok)) process.exitCode = EXIT.badInput;
    });
}

/** Route files one by one; files of objects together, as they would be in a cluster, and each told what is its own. */
async function checkAll(
  texts: readonly { readonly file: string; readonly text: Result<RoutesText, Problem> }[],
  withoutFiles: boolean,
): Promise<readonly Checked[]> {
  const manifests = texts.flatMap(({ text }) => (text.ok && isManifest(text.value.text) ? [text.value] : []));
  const together = readManifests(manifests);
  return Promise.all(
    texts.map(async ({ file, text }): Promise<Checked> => {
      if (!text.ok) return { file, read: text };
      if (manifests.includes(text.value)) return { file, read: ofFile(together, text.value, manifests) };
      const read = parseRoutes(text.value, process.env);
      if (!read.ok || withoutFiles) return { file, read };
      return { file, read: await withNamedFiles(read.value, fileTitle(file), systemClock.now()) };
    }),
  );
}

/** What is said of this file alone, where several are read together; what is said of all of them names it first. */
function ofFile(read: Checked['read'], one: RoutesText, all: readonly RoutesText[]): Checked['read'] {
  const others = all.filter((other) => other !== one).map(({ file }) => file);
  const ownFirst = [one.file, ...others].join(', ');
  const whole = all.map(({ file }) => file).join(', ');
  const own = (problems: readonly Problem[]) =>
    problems
      .filter(({ subject }) => subject === one.file || !others.includes(subject))
      .map((problem) => (problem.subject === whole ? { ...problem, subject: ownFirst } : problem));
  if (read.ok) return ok({ ...read.value, warnings: own(read.value.warnings) });
  const errors = own(read.errors);
  return fail(...(errors.length > 0 ? errors : read.errors));
}

function tell({ file, read }: Checked): void {
  if (!read.ok) {
    failWith(EXIT.badInput, read.errors.map(formatProblem));
    return;
  }
  const { routing, warnings } = read.value;
  for (const warning of warnings) process.stderr.write(`${formatProblem(warning)}\n`);
  process.stdout.write(
    `${fileTitle(file)}: ok, ${count(routing.services.length, 'service')}, ${count(routing.routes.length, 'route')}\n`,
  );
}

/** What programs read; docs/operations.md describes it. */
function asJson(checked: readonly Checked[]): unknown {
  return {
    ok: checked.every(({ read }) => read.ok),
    files: checked.map(({ file, read }) => ({
      file,
      ok: read.ok,
      ...(read.ok ? { services: read.value.routing.services.length, routes: read.value.routing.routes.length } : {}),
      problems: (read.ok ? read.value.warnings : read.errors).map(({ severity, position, path, message, fix }) => ({
        severity,
        ...(position === undefined ? {} : position),
        ...(path === undefined ? {} : { path }),
        message,
        ...(fix === undefined ? {} : { fix }),
      })),
    })),
  };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
