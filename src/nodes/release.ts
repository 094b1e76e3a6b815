/** The oldest release of Envoy with everything that the limits need. */
export const OLDEST_ENVOY = '1.39';

/** The release in `envoy 1.38.2`, if it is an Envoy that is too old; undefined: it is not, or is something else. */
export function tooOldRelease(userAgent: string): string | undefined {
  const [, major, minor, patch] = /^envoy (\d+)\.(\d+)\.(\d+)/.exec(userAgent) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_ENVOY.split('.').map(Number);
  const isOld = Number(major) < oldestMajor || (Number(major) === oldestMajor && Number(minor) < oldestMinor);
  return isOld ? `${major}.${minor}.${patch}` : undefined;
}
