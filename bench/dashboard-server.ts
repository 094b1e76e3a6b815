// An admin whose status is made up: SERVICES services with some PODS pods in all, each busy at random. Used by
// `bench:dashboard`. node bench/dashboard-server.ts SERVICES PODS
import { startAdmin } from '../src/admin/server.ts';
import { systemClock } from '../src/base/clock.ts';
import { Metrics } from '../src/status/metrics.ts';
import type { ServiceStatus } from '../src/status/status.ts';
import { Telemetry } from '../src/telemetry/telemetry.ts';
import { exampleHistory, limited, pod, statusOf } from '../test/feature/admin/scenes.ts';
import { noRoutes } from '../test/unit/status/example.ts';
import { NO_COUNTS } from '../test/unit/telemetry/reports.ts';

const [SERVICES = 500, PODS = 1000] = process.argv.slice(2).map(Number);
const LIMITS = [1, 1, 1, 2, 4, 8, 32];
const random = (below: number) => Math.floor(Math.random() * below);

function service(index: number): ServiceStatus {
  const limit = LIMITS[index % LIMITS.length] ?? 1;
  // One in three has a queue.
  const waits = index % 3 === 0;
  const pods = Array.from({ length: Math.round(PODS / SERVICES) }, (_, at) =>
    pod(`10.${index >> 8}.${index & 255}.${at + 1}:8080`, { limit, inUse: waits ? limit : random(limit + 1) }),
  );
  const waiting = waits ? random(index % 30 === 0 ? 2000 : 20) : 0;
  const answered = 60 + random(30);
  const quantiles = { p50: 100 + random(50), p99: 900 + random(500) };
  const minute = { ...NO_COUNTS, arrived: answered, answered };
  return limited(`service-with-a-name-${index}`, {
    limit,
    pods,
    waiting,
    ...(waiting > 0 && { oldestWaitMs: 500 + random(60_000) }),
    traffic: {
      total: minute,
      lastMinute: {
        ...minute,
        waitMs: quantiles,
        workMs: quantiles,
        mostWaiting: waiting + random(9),
        mostInUse: limit,
      },
    },
  });
}

const admin = await startAdmin({
  address: { host: '127.0.0.1', port: 0 },
  metrics: new Metrics({ version: 'bench', telemetry: new Telemetry(systemClock) }),
  status: () => statusOf(Array.from({ length: SERVICES }, (_, index) => service(index))),
  history: exampleHistory,
  explain: noRoutes,
  ready: () => ({ ready: true }),
});
if (!admin.ok) throw new Error(admin.errors.join());
process.stdout.write(`http://127.0.0.1:${admin.value.address.port}\n`);
process.once('SIGTERM', () => void admin.value.stop());
