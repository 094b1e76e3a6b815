// An admin whose status is made up: SERVICES services with some PODS pods in all, each busy at random. Used by
// `bench:dashboard`. node bench/dashboard-server.ts SERVICES PODS
import { startAdmin } from '../src/admin/server.ts';
import { Metrics } from '../src/status/metrics.ts';
import type { ServiceStatus, Status } from '../src/status/status.ts';

const [SERVICES = 500, PODS = 1000] = process.argv.slice(2).map(Number);
const LIMITS = [1, 1, 1, 2, 4, 8, 32];
const startedAt = new Date().toISOString();
const random = (below: number) => Math.floor(Math.random() * below);
const none = { answered: 0, failed: 0, refused: 0, timedOut: 0, abandoned: 0 };

function service(index: number): ServiceStatus {
  const limit = LIMITS[index % LIMITS.length] ?? 1;
  // One in three has a line.
  const waits = index % 3 === 0;
  const pods = Array.from({ length: Math.round(PODS / SERVICES) }, (_, pod) => ({
    address: `10.${index >> 8}.${index & 255}.${pod + 1}:8080`,
    state: 'ready' as const,
    requestsInProgress: waits ? limit : random(limit + 1),
  }));
  const waiting = waits ? random(index % 30 === 0 ? 2000 : 20) : 0;
  const answered = 60 + random(30);
  const quantiles = { p50: 100 + random(50), p99: 900 + random(500) };
  return {
    name: `service-with-a-name-${index}`,
    protocol: index % 5 === 0 ? 'h2c' : 'http1',
    inForce: true,
    kind: 'limited',
    limit,
    queue: { max: 1000, timeoutMs: 0 },
    slots: limit * pods.length,
    pods,
    requestsInProgress: pods.reduce((sum, { requestsInProgress }) => sum + requestsInProgress, 0),
    waiting,
    ...(waiting > 0 && { oldestWaitMs: 500 + random(60_000) }),
    ejected: 0,
    retried: 0,
    traffic: {
      total: { ...none, answered: 5000 + answered },
      lastMinute: { ...none, answered, waitMs: quantiles, workMs: quantiles },
    },
    source: { kind: 'kubernetes', target: `space/service-${index}:http`, state: 'ready', problems: [] },
  };
}

function status(): Status {
  return {
    version: 'bench',
    startedAt,
    at: new Date().toISOString(),
    routeFile: { path: 'routes.yaml', state: 'ready', problems: [] },
    services: Array.from({ length: SERVICES }, (_, index) => service(index)),
    nodes: [
      {
        id: 'edge-1',
        cluster: 'edge',
        userAgent: 'envoy 1.40.0',
        connectedSince: startedAt,
        peer: '10.0.0.9:4711',
        types: [{ type: 'Cluster', status: 'in sync', ackedVersion: 'a' }],
      },
    ],
    problems: [],
  };
}

function history() {
  return Array.from({ length: 180 }, (_, index) => ({
    at: Date.now() - (179 - index) * 5000,
    inUse: random(4),
    waiting: random(20),
    ended: random(20),
    refused: 0,
    waitMs: { p50: 100 + random(50), p99: 900 + random(500) },
  }));
}

const admin = await startAdmin({
  address: { host: '127.0.0.1', port: 0 },
  metrics: new Metrics({ version: 'bench' }),
  status,
  history,
  ready: () => ({ ready: true, reasons: [] }),
});
if (!admin.ok) throw new Error(admin.errors.join());
process.stdout.write(`http://127.0.0.1:${admin.value.address.port}\n`);
process.once('SIGTERM', () => void admin.value.stop());
