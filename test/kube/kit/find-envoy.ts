// Prints the path of the Envoy that the tests use; fetches it if need be. For run.sh, whose tests have no network.
import { findEnvoy } from '../../../src/envoy/binary/binary.ts';

const found = await findEnvoy();
if (found.ok) process.stdout.write(`${found.value.path}\n`);
else {
  process.stderr.write(`${found.errors.join('\n')}\n`);
  process.exitCode = 1;
}
