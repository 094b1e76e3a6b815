import { findEnvoy } from '../src/envoy/binary/binary.ts';

/** Once before all tests: sees that there is an Envoy, with the progress of a download in sight. */
export async function setup(): Promise<void> {
  const found = await findEnvoy();
  if (!found.ok) throw new Error(`the tests need a real Envoy, and found none:\n${found.errors.join('\n')}`);
  // The tests' own look-ups take this one, without asking for its version each time.
  process.env['SLUICE_ENVOY'] = found.value.path;
}
