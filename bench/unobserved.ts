// Sluice as it is, but its queue filters report nothing: what `bench:observe` compares with.
// node bench/unobserved.ts FILE XDS_PORT
import { makeLogger } from '../src/base/log.ts';
import { startControlPlane } from '../src/control-plane/assemble.ts';
import { DEFAULT_PACE } from '../src/slots/server.ts';

const [routes = '', xdsPort = 0] = process.argv.slice(2);

const started = await startControlPlane({
  routes,
  xds: [{ kind: 'tcp', host: '127.0.0.1', port: Number(xdsPort) }],
  admin: { host: '127.0.0.1', port: 0 },
  pace: { ...DEFAULT_PACE, reportMs: 0 },
  log: makeLogger('silent'),
});
if (!started.ok) throw new Error(started.errors.map(({ message }) => message).join('; '));
process.once('SIGTERM', () => void started.value.stop());
