/** Why tests with a real API server cannot run here; undefined when they can. See run.sh, which finds out. */
export const WHY_NOT: string | undefined =
  process.env['SLUICE_KUBE_SKIP'] ??
  (process.env['SLUICE_KUBE_PROGRAM'] === undefined ? 'they run with npm run test:kube' : undefined);

/** The name of a group of tests, with the reason when it is skipped. */
export function named(name: string): string {
  return WHY_NOT === undefined ? name : `${name} (skipped: ${WHY_NOT})`;
}
