import { type Clock, sleep } from '../../base/clock.ts';
import type { Result } from '../../base/result.ts';
import type { ApiFailure, KubeApi } from '../../kubernetes/api.ts';
import { backoff } from '../../kubernetes/backoff.ts';
import { failureProblem } from '../../kubernetes/failure-problem.ts';
import { HttpApi } from '../../kubernetes/http-api.ts';
import { WATCH_TIMING, type WatchTiming } from '../../kubernetes/watch-timing.ts';
import type { Locator } from '../../model/locator.ts';
import type { Pod } from '../../model/pod.ts';
import type { Problem } from '../../model/problem.ts';
import type { CountSourceEvent, SourceLog, SourceState } from '../../model/source.ts';
import type { PodSource } from '../pod-source.ts';
import type { KubeLocator } from './find-pods.ts';
import { NamespacePods } from './namespace-pods.ts';

/** The API server and the namespace of locators that name none. */
export interface KubeCluster extends KubeApi {
  namespace(): Promise<Result<string, ApiFailure>>;
}

/** What the source works with. */
export interface KubeSourceOptions {
  readonly clock: Clock;
  readonly log: SourceLog;
  /** A kubeconfig file; undefined: $KUBECONFIG, the cluster Sluice runs in, ~/.kube/config, in this order. */
  readonly kubeconfig?: string | undefined;
  /** What to speak to instead of the cluster that is configured. */
  readonly cluster?: KubeCluster;
  /** Evenly from 0 to 1; for the spread of waiting times. */
  readonly random?: () => number;
  readonly timing?: WatchTiming;
  readonly count?: CountSourceEvent;
}

/** A namespace that is being followed. */
interface Followed {
  readonly pods: NamespacePods;
  readonly stop: AbortController;
}

const PENDING: SourceState<readonly Pod[]> = { kind: 'pending', problems: [] };

/**
 * Pods behind Kubernetes Services. Watches the namespaces that are wanted and no others, so that a Role in each of
 * them is all the permission it needs.
 */
export class KubeSource implements PodSource {
  readonly name = 'kubernetes';
  readonly #options: KubeSourceOptions;
  readonly #cluster: KubeCluster;
  readonly #random: () => number;
  readonly #namespaces = new Map<string, Followed>();
  readonly #running = new Set<Promise<void>>();
  #wanted: readonly KubeLocator[] = [];
  #run: { readonly signal: AbortSignal; readonly changed: () => void } | undefined;
  #defaultNamespace: string | undefined;
  #asking = false;
  /** Why the default namespace is not known. */
  #problem: Problem | undefined;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    this.#cluster = options.cluster ?? new HttpApi({ kubeconfig: options.kubeconfig });
    this.#random = options.random ?? Math.random;
  }

  want(locators: readonly Locator[]): void {
    this.#wanted = locators.filter((locator) => locator.kind === 'kubernetes');
    this.#follow();
  }

  pods(locator: Locator): SourceState<readonly Pod[]> {
    if (locator.kind !== 'kubernetes') return PENDING;
    const namespace = locator.namespace ?? this.#defaultNamespace;
    if (namespace === undefined) {
      return this.#problem === undefined ? PENDING : { kind: 'pending', problems: [this.#problem] };
    }
    return this.#namespaces.get(namespace)?.pods.pods(locator) ?? PENDING;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    this.#run = { signal, changed };
    this.#follow();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#run = undefined;
    for (const namespace of [...this.#namespaces.keys()]) this.#leave(namespace);
    await Promise.all(this.#running);
  }

  /** Begins with namespaces that are newly wanted, ends with those that no longer are. */
  #follow(): void {
    if (this.#run === undefined || this.#run.signal.aborted) return;
    const wanted = new Map<string, KubeLocator[]>();
    for (const locator of this.#wanted) {
      const namespace = locator.namespace ?? this.#defaultNamespace;
      if (namespace === undefined) {
        this.#keep(this.#askDefaultNamespace());
        continue;
      }
      const siblings = wanted.get(namespace);
      if (siblings === undefined) wanted.set(namespace, [locator]);
      else siblings.push(locator);
    }
    for (const namespace of [...this.#namespaces.keys()]) if (!wanted.has(namespace)) this.#leave(namespace);
    for (const [namespace, locators] of wanted) this.#enter(namespace).want(locators);
  }

  #enter(namespace: string): NamespacePods {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known.pods;
    const { clock, log, timing = WATCH_TIMING, count = () => {} } = this.#options;
    const stop = new AbortController();
    const changed = () => {
      if (!stop.signal.aborted) this.#run?.changed();
    };
    const tools = {
      api: this.#cluster,
      clock,
      log,
      random: this.#random,
      timing,
      count,
      changed,
    };
    const pods = new NamespacePods(namespace, tools);
    this.#namespaces.set(namespace, { pods, stop });
    this.#keep(pods.run(stop.signal));
    return pods;
  }

  #leave(namespace: string): void {
    this.#namespaces.get(namespace)?.stop.abort();
    this.#namespaces.delete(namespace);
  }

  #keep(work: Promise<void>): void {
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  /** Asks until it is known, for as long as the source runs. */
  async #askDefaultNamespace(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    for (let failures = 1; this.#run !== undefined && this.#defaultNamespace === undefined; failures++) {
      const { signal, changed } = this.#run;
      const namespace = await this.#cluster.namespace();
      if (signal.aborted) break;
      if (namespace.ok) {
        this.#defaultNamespace = namespace.value;
        this.#follow();
        changed();
      } else {
        this.#options.count?.('failure');
        this.#tell(namespace.errors, changed);
        await sleep(this.#options.clock, backoff(failures, this.#random), signal);
      }
    }
    this.#asking = false;
  }

  #tell(failures: readonly ApiFailure[], changed: () => void): void {
    for (const failure of failures) {
      const question = { verb: 'list', resource: 'services', namespace: '(default)' } as const;
      const problem = failureProblem(question, failure);
      if (problem.message === this.#problem?.message) continue;
      this.#problem = problem;
      const level = failure.kind === 'config' ? 'debug' : 'warn';
      this.#options.log(level, 'no way to the API server', { message: problem.message, fix: problem.fix });
      changed();
    }
  }
}
