import { Gauge, type Registry } from 'prom-client';
import { LineGauges } from './line-gauges.ts';
import type { ServiceStatus, Status } from './status.ts';

/** Metrics that are read from the status when somebody asks for them. */
export class StatusGauges {
  readonly #routeFileValid: Gauge;
  readonly #sourceUp: Gauge<'service' | 'source'>;
  readonly #slots: Gauge<'service'>;
  readonly #pods: Gauge<'service' | 'state'>;
  readonly #inProgress: Gauge<'service' | 'pod'>;
  readonly #nodes: Gauge;
  readonly #problems: Gauge<'severity'>;
  readonly #staleness: Gauge<'service' | 'source'>;
  readonly #lines: LineGauges;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#lines = new LineGauges(registry);
    this.#staleness = new Gauge({
      name: 'sluice_service_source_stale_seconds',
      help: 'For how long what is known of the pods of a service may have been out of date; 0: it is up to date.',
      labelNames: ['service', 'source'],
      registers,
    });
    this.#routeFileValid = new Gauge({
      name: 'sluice_route_file_valid',
      help: 'Whether the route file as it is now is in use (1), or an earlier version of it is kept (0).',
      registers,
    });
    this.#sourceUp = new Gauge({
      name: 'sluice_service_source_up',
      help: 'Whether what is known of the pods of a service is up to date (1), or old or unknown (0).',
      labelNames: ['service', 'source'],
      registers,
    });
    this.#slots = new Gauge({
      name: 'sluice_slots',
      help: 'Requests that may be at all pods of a service together.',
      labelNames: ['service'],
      registers,
    });
    this.#pods = new Gauge({
      name: 'sluice_pods',
      help: 'Pods of a service, by whether they get new requests (ready) or only finish those they have (draining).',
      labelNames: ['service', 'state'],
      registers,
    });
    this.#inProgress = new Gauge({
      name: 'sluice_pod_requests_in_progress',
      help: 'Requests a pod works on, as Envoy last reported; absent while no Envoy reports.',
      labelNames: ['service', 'pod'],
      registers,
    });
    this.#nodes = new Gauge({ name: 'sluice_xds_connected_nodes', help: 'Envoys that are connected.', registers });
    this.#problems = new Gauge({
      name: 'sluice_problems',
      help: 'Problems that somebody has to mend; /status lists them.',
      labelNames: ['severity'],
      registers,
    });
  }

  /** Takes over all of `status`; what is no longer in it is gone from the metrics too. */
  collect({ at, routeFile, services, nodes, problems }: Status): void {
    this.#lines.collect(services);
    for (const gauge of [this.#sourceUp, this.#staleness, this.#slots, this.#pods, this.#inProgress]) gauge.reset();
    this.#routeFileValid.set(routeFile.state === 'ready' ? 1 : 0);
    this.#nodes.set(nodes.length);
    for (const severity of ['error', 'warning'] as const)
      this.#problems.set({ severity }, problems.filter((problem) => problem.severity === severity).length);
    for (const service of services) this.#collectService(service, Date.parse(at));
  }

  #collectService(status: ServiceStatus, now: number): void {
    const { name: service, source, pods } = status;
    this.#sourceUp.set({ service, source: source.kind }, source.state === 'ready' ? 1 : 0);
    const staleMs = source.since === undefined ? 0 : now - Date.parse(source.since);
    if (source.state !== 'pending') this.#staleness.set({ service, source: source.kind }, staleMs / 1000);
    if (status.kind === 'limited') this.#slots.set({ service }, status.slots);
    for (const state of ['ready', 'draining', 'ejected'] as const)
      this.#pods.set({ service, state }, pods.filter((pod) => pod.state === state).length);
    for (const { address, requestsInProgress } of pods)
      if (requestsInProgress !== undefined) this.#inProgress.set({ service, pod: address }, requestsInProgress);
  }
}
