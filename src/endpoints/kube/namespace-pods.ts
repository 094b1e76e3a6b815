import type { V1EndpointSlice, V1Pod, V1Service } from '@kubernetes/client-node';
import type { ApiFailure } from '../../kubernetes/api.ts';
import type { Collection, CollectionSink } from '../../kubernetes/collection.ts';
import { failureProblem, type KubeResource } from '../../kubernetes/failure-problem.ts';
import { type FollowTools, followCollection } from '../../kubernetes/follow-collection.ts';
import { type Health, troubled, UNKNOWN } from '../../kubernetes/health.ts';
import { locatorKey } from '../../model/locator.ts';
import type { Pod } from '../../model/pod.ts';
import type { SourceLog, SourceState } from '../../model/source.ts';
import { findPods, type KubeLocator, type ServiceKnowledge } from './find-pods.ts';
import { afterFinding, describePods, type Found, NOTHING_FOUND, sameState, stateOf } from './locator-state.ts';
import { type KubePod, PodIndex, readPod } from './pod-index.ts';
import { ServiceIndex } from './service-index.ts';
import { type KubeService, readService, readSlice, SERVICE_NAME_LABEL, type Slice } from './slice.ts';

/** What is known for one locator. */
interface Entry {
  readonly locator: KubeLocator;
  found: Found;
  state: SourceState<readonly Pod[]>;
}

/** What a namespace needs from the source it belongs to. */
export interface NamespaceTools extends FollowTools {
  readonly log: SourceLog;
  /** Called after every change of what `pods` says. */
  readonly changed: () => void;
}

/** Follows the Services and EndpointSlices of one namespace, with one watch for each of the two; and Pods where their limits are wanted. */
export class NamespacePods {
  readonly #namespace: string;
  readonly #tools: NamespaceTools;
  readonly #index = new ServiceIndex();
  readonly #pods = new PodIndex();
  readonly #health: Record<KubeResource, Health> = { services: UNKNOWN, endpointslices: UNKNOWN, pods: UNKNOWN };
  readonly #running = new Set<Promise<void>>();
  /** Undefined while nothing is followed. */
  #signal: AbortSignal | undefined;
  /** Ends the following of Pods; undefined: they are not followed. */
  #podsStop: AbortController | undefined;
  #entries = new Map<string, Entry>();
  /** The same: a locator stays the same object until the file changes. */
  #byLocator = new Map<KubeLocator, Entry>();
  #byService = new Map<string, Entry[]>();

  constructor(namespace: string, tools: NamespaceTools) {
    this.#namespace = namespace;
    this.#tools = tools;
  }

  /** Says which locators of this namespace count from now on. */
  want(locators: readonly KubeLocator[]): void {
    const before = this.#entries;
    this.#entries = new Map();
    this.#byService = new Map();
    this.#byLocator = new Map();
    for (const locator of locators) {
      const key = entryKey(locator);
      if (this.#entries.has(key)) continue;
      const entry = before.get(key) ?? { locator, found: NOTHING_FOUND, state: { kind: 'pending', problems: [] } };
      this.#entries.set(key, entry);
      this.#byLocator.set(locator, entry);
      this.#byService.set(locator.service, [...(this.#byService.get(locator.service) ?? []), entry]);
      if (!before.has(key)) {
        this.#find(entry);
        entry.state = this.#stateOf(entry);
      }
    }
    this.#followPods();
  }

  /** What is known of a locator; undefined when it is not wanted. */
  pods(locator: KubeLocator): SourceState<readonly Pod[]> | undefined {
    return (this.#byLocator.get(locator) ?? this.#entries.get(entryKey(locator)))?.state;
  }

  /** Follows until `signal` is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const services: Collection<KubeService> = {
      path: this.#path('api/v1', 'services'),
      // An API server answers with the type that was asked for; what it is not throws, and is handled where it is read.
      read: (object) => readService(object as V1Service),
    };
    const slices: Collection<Slice> = {
      path: this.#path('apis/discovery.k8s.io/v1', 'endpointslices'),
      label: SERVICE_NAME_LABEL,
      // As above.
      read: (object) => readSlice(object as V1EndpointSlice),
    };
    this.#followPods();
    await Promise.all([
      followCollection(services, this.#serviceSink(), this.#tools, signal),
      followCollection(slices, this.#sliceSink(), this.#tools, signal),
    ]);
    this.#signal = undefined;
    this.#podsStop?.abort();
    await Promise.all(this.#running);
  }

  #path(group: string, resource: KubeResource): string {
    return `/${group}/namespaces/${encodeURIComponent(this.#namespace)}/${resource}`;
  }

  /** Begins with Pods when one of the locators asks for their limits, and ends it when none does. */
  #followPods(): void {
    if (this.#signal === undefined || this.#signal.aborted) return;
    const isWanted = [...this.#entries.values()].some(({ locator }) => locator.podLimits);
    if (isWanted === (this.#podsStop !== undefined)) return;
    this.#podsStop?.abort();
    this.#podsStop = undefined;
    // What is not followed is not known.
    this.#health.pods = UNKNOWN;
    this.#pods.replace([]);
    if (!isWanted) return;
    const stop = new AbortController();
    this.#podsStop = stop;
    const collection: Collection<KubePod> = {
      path: this.#path('api/v1', 'pods'),
      part: 'metadata',
      // As in `run`.
      read: (object) => readPod(object as V1Pod),
    };
    const work = followCollection(collection, this.#podSink(stop.signal), this.#tools, stop.signal);
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  #podSink(signal: AbortSignal): CollectionSink<KubePod> {
    const touched = (uids: readonly string[]) => this.#index.servicesOf(uids);
    return {
      replaced: (items) => {
        // Nobody asks for limits any more, or somebody does so anew.
        if (!signal.aborted) this.#replaced('pods', touched(this.#pods.replace(items)));
      },
      put: (item) => this.#touched(touched(this.#pods.put(item))),
      removed: (name) => this.#touched(touched(this.#pods.remove(name))),
      ...this.#healthSink('pods'),
    };
  }

  #serviceSink(): CollectionSink<KubeService> {
    return {
      replaced: (items) => this.#replaced('services', this.#index.replaceServices(items)),
      put: (item) => this.#touched(this.#index.putService(item)),
      removed: (name) => this.#touched(this.#index.removeService(name)),
      ...this.#healthSink('services'),
    };
  }

  #sliceSink(): CollectionSink<Slice> {
    return {
      replaced: (items) => this.#replaced('endpointslices', this.#index.replaceSlices(items)),
      put: (item) => this.#touched(this.#index.putSlice(item)),
      removed: (name) => this.#touched(this.#index.removeSlice(name)),
      ...this.#healthSink('endpointslices'),
    };
  }

  #healthSink(resource: KubeResource): Pick<CollectionSink<never>, 'current' | 'failed'> {
    const { log, clock } = this.#tools;
    const where = { namespace: this.#namespace, resource };
    return {
      current: () => {
        const { trouble } = this.#health[resource];
        if (trouble === undefined) return;
        log('info', 'the API server answers again', { ...where, staleMs: clock.now() - trouble.since });
        this.#health[resource] = { ...this.#health[resource], trouble: undefined };
        this.#publish([...this.#entries.values()]);
      },
      failed: (verb: 'list' | 'watch', failure: ApiFailure, since: number) => {
        const before = this.#health[resource];
        const problem = failureProblem({ verb, resource, namespace: this.#namespace }, failure);
        const { message, fix } = problem;
        const known = before.trouble?.problem.message === message;
        // A fault of the kubeconfig is told as a problem, once for all namespaces and questions.
        const level = known || failure.kind === 'config' ? 'debug' : 'warn';
        log(level, 'the API server does not answer as it should; what is known stays', { ...where, message, fix });
        this.#health[resource] = troubled(before, problem, since);
        // From its first failure on, the Services are not waited for where they can be done without.
        if (before.trouble === undefined && !before.listed) this.#touched([...this.#byService.keys()]);
        this.#publish([...this.#entries.values()]);
      },
    };
  }

  #replaced(resource: KubeResource, touched: readonly string[]): void {
    const first = !this.#health[resource].listed;
    this.#health[resource] = { ...this.#health[resource], listed: true };
    // From the first list on, what is absent is really absent.
    this.#touched(first ? [...this.#byService.keys()] : touched);
  }

  #touched(services: readonly string[]): void {
    const entries = services.flatMap((service) => this.#byService.get(service) ?? []);
    for (const entry of entries) this.#find(entry);
    this.#publish(entries);
  }

  #publish(entries: readonly Entry[]): void {
    let changed = false;
    for (const entry of entries) {
      const state = this.#stateOf(entry);
      if (sameState(entry.state, state)) continue;
      entry.state = state;
      changed = true;
    }
    if (changed) this.#tools.changed();
  }

  #find(entry: Entry): void {
    if (!this.#health.endpointslices.listed || this.#waitsForServices(entry)) return;
    const { locator } = entry;
    const { service } = locator;
    if (locator.podLimits && !this.#health.pods.listed) return;
    const [knowledge, slices] = [this.#knowledgeOf(service), this.#index.slices(service)];
    const finding = findPods(locator, this.#namespace, knowledge, slices, (uid) => this.#pods.pod(uid));
    const before = entry.found;
    entry.found = afterFinding(before, finding, this.#tools.clock.now());
    if (entry.found.pods === before.pods) return;
    const pods = describePods(entry.found.pods ?? []);
    this.#tools.log('debug', 'pods', { namespace: this.#namespace, service, pods });
  }

  /** The pods' own port can be used without the Service, but not before it is clear that there is no asking for it. */
  #waitsForServices({ locator }: Entry): boolean {
    const { listed, trouble } = this.#health.services;
    return !listed && (locator.port.kind === 'service' || trouble === undefined);
  }

  #knowledgeOf(name: string): ServiceKnowledge {
    if (!this.#health.services.listed) return { kind: 'unknown' };
    const service = this.#index.service(name);
    if (service !== undefined) return { kind: 'known', service };
    return { kind: 'absent', others: this.#index.serviceNames() };
  }

  #stateOf(entry: Entry): SourceState<readonly Pod[]> {
    const { services, endpointslices: slices, pods } = this.#health;
    const { port, podLimits } = entry.locator;
    const own = podLimits ? [slices, pods] : [slices];
    const needed = port.kind === 'service' || this.#waitsForServices(entry);
    if (needed) return stateOf(entry.found, [...own, services], []);
    const minor = services.trouble === undefined ? [] : [{ ...services.trouble.problem, severity: 'warning' as const }];
    return stateOf(entry.found, own, minor);
  }
}

/** Equal for locators that find the same pods with the same limits. */
function entryKey(locator: KubeLocator): string {
  return `${locatorKey(locator)}${locator.podLimits ? ' with their limits' : ''}`;
}
