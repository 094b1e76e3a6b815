import { fail, ok, type Result } from '../../base/result.ts';
import type { Position, Problem } from '../../model/problem.ts';
import type { Routing } from '../../model/routing.ts';
import { nameLookAlikes } from './characters.ts';
import { lbagent, version1 } from './keys.ts';
import { checkLbagent, toLbagentRouting } from './lbagent.ts';
import { reportObject } from './object.ts';
import type { Environment } from './placeholder.ts';
import { quote, Report } from './report.ts';
import type { Got } from './shape.ts';
import { type MapTree, readTree } from './tree.ts';
import { checkVersion1, toRouting, warnOfVersion1 } from './version1.ts';

/** What a route file says. */
export interface RouteFile {
  readonly routing: Routing;
  /** What is probably not meant so; all of severity `warning`. */
  readonly warnings: readonly Problem[];
  /** Where each route begins, by its name, for those who read the file beside what is said of it. */
  readonly places: ReadonlyMap<string, Position>;
  /** What only the lbagent form says. */
  readonly lbagent?: LbagentExtras;
}

/** Keys of the lbagent form that are not about routing. */
export interface LbagentExtras {
  /** As written, so relative to the working directory, as lbagent has it; empty: in-cluster; undefined: key not there. */
  readonly kubeConfigFile?: string;
  readonly logFile?: string;
}

/** Where the text comes from, and what it may refer to. */
export interface ParseOptions {
  /** The file's path as the user gave it: the subject of every problem. */
  readonly path: string;
  /** For `${NAME}`. */
  readonly env: Environment;
  /** Folder that relative file names start from. */
  readonly baseDir: string;
}

/**
 * Reads a route file of either form. Errors: everything that is wrong with it, in the order of the file, each with
 * position, key path and what to write instead; warnings are among them then.
 */
export function parseRouteFile(text: string, { path, env, baseDir }: ParseOptions): Result<RouteFile, Problem> {
  const report = new Report(path);
  const file = readFile(text, { env, baseDir }, report);
  if (file === undefined || report.hasErrors) return fail(...nameLookAlikes(report.problems, text));
  return ok({ ...file, warnings: report.problems });
}

type Content = Omit<RouteFile, 'warnings'>;

function readFile(text: string, options: Omit<ParseOptions, 'path'>, report: Report): Content | undefined {
  const tree = readTree(text, options.env, report);
  if (tree === undefined || tree.kind === 'broken') return undefined;
  if (tree.kind !== 'map') {
    const fix = 'begin with "version: 1", and write services and routes';
    report.error({ at: tree.at, path: '' }, { message: 'a route file is a map of keys', fix });
    return undefined;
  }
  if (reportObject(tree, report)) return undefined;
  return formOf(tree, report) === 'lbagent' ? readLbagent(tree, report) : readVersion1(tree, options.baseDir, report);
}

/** Without `version` it is lbagent's form, unless other keys show that version 1 is meant. */
function formOf(tree: MapTree, report: Report): 'version 1' | 'lbagent' {
  const keys = new Set(tree.entries.map(({ key }) => key));
  if (keys.has('version')) return 'version 1';
  const routes = tree.entries.find(({ key }) => key === 'routes')?.value;
  const items = routes?.kind === 'list' ? routes.items : [];
  const first = items[0]?.kind === 'map' ? items[0].entries.map(({ key }) => key) : [];
  const meant =
    ['services', 'listen'].some((key) => keys.has(key)) || (first.includes('match') && !first.includes('uri'));
  if (!meant) return 'lbagent';
  report.error({ at: tree.at, path: 'version' }, { message: 'is missing', fix: 'write version: 1 on the first line' });
  return 'version 1';
}

function readVersion1(tree: MapTree, baseDir: string, report: Report): Content | undefined {
  const version = tree.entries.find(({ key }) => key === 'version');
  const entries = version === undefined ? [impliedVersion(tree), ...tree.entries] : tree.entries;
  if (version?.value.kind === 'scalar' && /^\d+$/.test(version.value.text) && version.value.text !== '1') {
    const message = `this Sluice understands version 1, not ${version.value.text}`;
    report.error(
      { at: version.value.at, path: 'version' },
      { message, fix: 'write version: 1, or use a newer Sluice' },
    );
    return undefined;
  }
  const file = version1.read({ ...tree, entries }, '', report);
  if (file === undefined) return undefined;
  checkVersion1(file, report);
  if (report.hasErrors) return undefined;
  warnOfVersion1(file, report);
  return { routing: toRouting(file, baseDir), places: placesOf(file.routes) };
}

function placesOf({ value = [] }: Got<readonly Got<unknown>[]>): RouteFile['places'] {
  return new Map(value.map(({ path, at }) => [path, at]));
}

/** Stands for a `version` whose absence has been reported. */
function impliedVersion(tree: MapTree): MapTree['entries'][number] {
  const value = { kind: 'scalar', at: tree.at, text: '1', quoted: false, replaced: false } as const;
  return { key: 'version', keyAt: tree.at, value };
}

function readLbagent(tree: MapTree, report: Report): Content | undefined {
  const file = lbagent.read(tree, '', report);
  if (file === undefined) return undefined;
  checkLbagent(file, report);
  if (report.hasErrors) return undefined;
  const { kube_config_file: kubeConfigFile, log_file: logFile } = file;
  if (logFile?.value) {
    const message = `no log is written to ${quote(logFile.value)}: logs go to the output of Sluice`;
    report.warn(logFile, { message, fix: 'redirect the output to keep it in a file' });
  }
  return {
    routing: toLbagentRouting(file),
    places: placesOf(file.routes),
    lbagent: {
      ...(kubeConfigFile?.value === undefined ? {} : { kubeConfigFile: kubeConfigFile.value }),
      ...(logFile?.value === undefined ? {} : { logFile: logFile.value }),
    },
  };
}
