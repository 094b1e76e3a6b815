import { fail, ok, type Result } from '../../base/result.ts';

/** The version of an Envoy, without its build details. */
export interface EnvoyVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** The Envoy that is downloaded where none is found, and against which everything is tested. */
export const PINNED_ENVOY: EnvoyVersion = { major: 1, minor: 40, patch: 0 };

/** The oldest Envoy that keeps the promise; see `acceptVersion` for why. */
export const OLDEST_ENVOY: EnvoyVersion = { major: 1, minor: 39, patch: 0 };

/** `1.40.0`. */
export function formatVersion({ major, minor, patch }: EnvoyVersion): string {
  return `${major}.${minor}.${patch}`;
}

/**
 * Reads what `envoy --version` prints: `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`; development builds
 * say `1.41.0-dev`. The admin's `server_info` gives the part behind `version: ` alone.
 */
export function parseVersion(text: string): Result<EnvoyVersion, string> {
  const found = /(?:^|version: )\s*[0-9a-f]+\/(\d+)\.(\d+)\.(\d+)(?:-dev)?\//m.exec(text);
  if (found === null) {
    const first = text.trim().split('\n')[0] ?? '';
    return fail(`is not Envoy: --version should print a line with "version: …/1.40.0/…", not ${JSON.stringify(first)}`);
  }
  return ok({ major: Number(found[1]), minor: Number(found[2]), patch: Number(found[3]) });
}

/**
 * Refuses an Envoy that is too old. Since 1.39 LEAST_REQUEST can count requests that still wait for a connection
 * (runtime guard `least_request_lb_count_pending_requests`, envoyproxy/envoy#45168); an older one does not know the
 * guard and sends a cold burst to one pod.
 */
export function acceptVersion(version: EnvoyVersion): Result<EnvoyVersion, string> {
  const old =
    version.major < OLDEST_ENVOY.major || (version.major === OLDEST_ENVOY.major && version.minor < OLDEST_ENVOY.minor);
  if (!old) return ok(version);
  return fail(
    `is Envoy ${formatVersion(version)}, but Sluice needs ${formatVersion(OLDEST_ENVOY)} or newer: older ones do not ` +
      'count requests that wait for a connection (least_request_lb_count_pending_requests), so a burst would pile up on one pod',
  );
}
