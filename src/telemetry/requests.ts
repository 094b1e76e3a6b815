import type { Clock } from '../base/clock.ts';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import type { NodeGuard } from '../base/node-guard.ts';
import { REQUEST_LOG } from '../dataplane/contract.ts';
import { type OneIn, sampleOfLog } from '../dataplane/sampling.ts';
import { envoyAdmin } from '../envoy/admin.ts';
import type { ServiceName } from '../model/service.ts';
import { AccessLogs } from './envoy/access-logs.ts';
import { followLineStats } from './envoy/line-stats.ts';
import { type OutHosts, PodHealth } from './envoy/pod-health.ts';
import { LogSampling } from './log-sampling.ts';
import { givenUpDuring, mayBeSampled, requestEvent } from './request-events.ts';
import type { RequestEvent } from './service-traffic.ts';
import { Traffic, type TrafficListener } from './traffic.ts';

/** How requests are followed. */
export interface RequestsOptions {
  readonly clock: Clock;
  /** Whose logs are taken. */
  readonly guard: NodeGuard;
  /** Counts what is seen. */
  readonly listener: TrafficListener;
  /** A pod has worked on a request of this service for so long. */
  readonly worked: (service: ServiceName, ms: number) => void;
  /** Envoy's admin; undefined: its statistics are not asked, and nobody knows which pods are out. */
  readonly statistics: HostPort | undefined;
  /** Whether there are health checks: what they find shows in the statistics only. */
  readonly areChecked: () => boolean;
  /** Whether somebody may wait in any line. */
  readonly mayWait: () => boolean;
  /** Of requests that are answered, Envoys are to tell of one in so many from now on. */
  readonly onSample: (oneIn: OneIn) => void;
  /** Envoy has taken out other pods than before. */
  readonly onOut: (out: OutHosts) => void;
}

/** How often Envoy's statistics are asked while somebody may wait or a pod is out. */
const STATISTICS_MS = 1000;

/** How often otherwise: it is most of what observing costs Envoy when there is nothing to see. */
const QUIET_MS = 5000;

/** How often when they are all that tells of pods that are out. */
const CHECKS_MS = 200;

/** Whoever does not answer on this machine in this time will not. */
const ANSWER_MS = 900;

/** Of requests that were answered: what else ends, Envoy may have ended before a pod saw it. */
function tellWork(event: RequestEvent, worked: RequestsOptions['worked']): void {
  if (event.kind !== 'ended' || event.waitMs === undefined || event.outcome !== 'answered') return;
  // The log has the names that routes have, and those are services'.
  worked(event.service as ServiceName, event.durationMs - event.waitMs);
}

/** What Envoys tell about requests: the gRPC service they tell it to, and what is known from it. */
export function followRequests(options: RequestsOptions) {
  const { clock, guard, listener, statistics, worked, areChecked, mayWait, onSample, onOut } = options;
  const traffic = new Traffic(clock, listener);
  const admin = statistics && envoyAdmin(statistics, ANSWER_MS);
  const health = admin && new PodHealth({ admin, clock, onChange: onOut });
  const sampling = new LogSampling({
    clock,
    onChange: (oneIn) => {
      traffic.sampled(oneIn);
      onSample(oneIn);
    },
  });
  const accessLogs = new AccessLogs({
    guard,
    onOpen: ({ id, logName }) => {
      if (logName === REQUEST_LOG.requests) traffic.opened(id);
    },
    onEntries: (entries, { id, nodeId, logName }) => {
      const oneIn = sampleOfLog(REQUEST_LOG.requests, logName);
      if (oneIn !== undefined) {
        const events = entries.flatMap((entry) => requestEvent(entry, oneIn) ?? []);
        traffic.record(events, id);
        for (const event of events) tellWork(event, worked);
        sampling.heard(nodeId, entries.filter(mayBeSampled).length * oneIn);
      } else if (logName === REQUEST_LOG.timeouts) {
        for (const entry of entries) {
          const during = givenUpDuring(entry);
          if (during !== undefined) traffic.recordTimeout(entry.service, during);
        }
      } else if (logName === REQUEST_LOG.failures) {
        for (const { service } of entries) health?.suspect(service);
      }
    },
    onClosed: ({ id }) => traffic.closed(id),
  });
  return {
    traffic,
    accessLogs,
    statisticsFrom: statistics && formatHostPort(statistics),
    /** Asks for statistics, and for pods that are out, until `signal` is aborted; never rejects. */
    async run(signal: AbortSignal): Promise<void> {
      signal.addEventListener('abort', () => sampling.stop(), { once: true });
      if (admin === undefined || health === undefined) return;
      const isQuiet = () => !(health.isAnyOut || traffic.isBusy || mayWait());
      const intervalMs = () => (areChecked() ? CHECKS_MS : isQuiet() ? QUIET_MS : STATISTICS_MS);
      const onStats = traffic.recordLines.bind(traffic);
      const onPods = health.compare.bind(health);
      await Promise.all([followLineStats({ admin, clock, intervalMs, onStats, onPods }, signal), health.run(signal)]);
    },
  };
}
