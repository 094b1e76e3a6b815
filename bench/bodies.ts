/** Sends 5 GB through a request that waits, and 5 GB back, and prints what Envoy's memory does: `npm run bench:bodies`. */
import { instant, until } from '../test/e2e/kit/instant.ts';
import { exchangeLarge, watchMemory } from '../test/e2e/kit/large-body.ts';
import { Pods } from '../test/e2e/kit/pods.ts';
import { Sluice } from '../test/e2e/kit/sluice.ts';

const MB = 1024 * 1024;
const BYTES = 5 * 1024 * MB;
/** How long the request waits, at the least, with all of its body to come. */
const BUSY_MS = 3000;

const pods = await Pods.start({ count: 1 });
const sluice = await Sluice.start({
  routes: {
    services: { codec: { static: pods.addresses, limit: 1 } },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  },
});
try {
  const busy = fetch(`http://127.0.0.1:${sluice.port}/`, { headers: { 'x-work-ms': String(BUSY_MS) } });
  await until(async () => (await pods.held()) === 1, { what: 'a request at the pod' });
  const memory = watchMemory(sluice.envoy.pid);
  const began = instant();
  const { status, sent, received } = await exchangeLarge({ port: sluice.port, id: 'large', bytes: BYTES });
  const seconds = (instant() - began - BUSY_MS) / 1000;
  const most = memory.stop();
  await busy;
  const whole = status === 200 && sent === BYTES && received > BYTES;
  process.stdout.write(
    `${BYTES / MB} MB each way ${whole ? 'arrived whole' : `DID NOT ARRIVE: ${status}, ${sent}, ${received}`} ` +
      `in ${seconds.toFixed(1)} s (${((2 * BYTES) / MB / seconds).toFixed(0)} MB/s)\n` +
      `Envoy's resident memory: ${(memory.before / MB).toFixed(0)} MB before, ${(most / MB).toFixed(0)} MB at most\n`,
  );
  process.exitCode = whole ? 0 : 1;
} finally {
  await sluice.stop();
  await pods.stop();
}
