import { onTestFinished } from 'vitest';
import { formatAddress } from '../../../src/model/locator.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { instant, pause, until } from '../../e2e/kit/instant.ts';
import { Pods } from '../../e2e/kit/pods.ts';
import { Follower } from './follower.ts';
import { servicePort } from './locators.ts';
import type { TestNamespace } from './namespace.ts';

/** The port every pod of a `Deployment` listens on, and the targetPort of its Service. */
const POD_PORT = 8080;

/**
 * How long a container's preStop hook sleeps: kubelet's SIGTERM must not be faster than the endpoints' change. Of pods
 * that change together the EndpointSlice controller tells some only a second later (its informer is behind its own last
 * write, and it tries again after 1 s).
 */
const PRE_STOP_MS = 3000;

/** When something happened to a pod, by `instant()`; by its `address:port`. */
export type Moments = ReadonlyMap<string, number>;

/**
 * A Service `codec` (port 80) and its pods, which are both objects of the API server and real servers: what a Deployment,
 * a kubelet and a well-behaved container do, without the waiting times of real ones.
 */
export class Deployment {
  readonly space: TestNamespace;
  /** The real servers; those that are gone still tell what they saw. */
  readonly pods: Pods;
  readonly #deleted = new Map<string, number>();
  readonly #told = { ready: new Map<string, number>(), withdrawn: new Map<string, number>() };
  readonly #names = new Map<string, string>();
  readonly #ending: Promise<void>[] = [];
  #running: string[] = [];

  private constructor(space: TestNamespace, pods: Pods) {
    this.space = space;
    this.pods = pods;
  }

  /** Makes the Service and `count` ready pods at `network`.1, .2, …; they end with the test that runs now. */
  static async make(space: TestNamespace, network: string, count: number): Promise<Deployment> {
    const pods = await Pods.start({ count: 0, network, port: POD_PORT });
    onTestFinished(() => pods.stop());
    await space.addService('codec', [{ name: 'http', port: 80, targetPort: POD_PORT }]);
    const deployment = new Deployment(space, pods);
    deployment.#follow();
    await deployment.add(count);
    return deployment;
  }

  /** Pods that are there and not terminating, oldest first. */
  get running(): readonly string[] {
    return [...this.#running];
  }

  /** When each pod was in an EndpointSlice as ready: what happens before is the cluster's time, not Sluice's. */
  get readyAt(): Moments {
    return this.#told.ready;
  }

  /** When the EndpointSlices had each pod as terminating, or no longer had it. */
  get withdrawnAt(): Moments {
    return this.#told.withdrawn;
  }

  /** When the deletion of each pod was asked for. */
  get deletedAt(): Moments {
    return this.#deleted;
  }

  /** More pods: first the server, then the pod, then its readiness. Resolves to their `address:port`. */
  async add(count: number): Promise<readonly string[]> {
    const added = await this.pods.add(count);
    await Promise.all(
      added.map(async (address) => {
        const [ip = ''] = address.split(':');
        const name = `codec-${ip.replaceAll('.', '-')}`;
        this.#names.set(address, name);
        await this.space.addPod(name, { app: 'codec', ips: [ip], ready: false });
        await this.space.setReady(name, true);
        this.#running.push(address);
      }),
    );
    return added;
  }

  /** Deletes the pods at these addresses with grace; resolves when the API server knows. They end in the background. */
  async terminate(...addresses: readonly string[]): Promise<void> {
    this.#running = this.#running.filter((address) => !addresses.includes(address));
    await Promise.all(
      addresses.map(async (address) => {
        const name = this.#names.get(address) ?? '';
        this.#deleted.set(address, instant());
        await this.space.removePod(name, 'graceful');
        this.#ending.push(this.#end(address, name));
      }),
    );
  }

  /** As many pods as this: the newest go, as with a real Deployment. */
  async scale(count: number): Promise<void> {
    const excess = this.#running.length - count;
    if (excess > 0) await this.terminate(...this.#running.slice(-excess));
    else await this.add(-excess);
  }

  /**
   * Replaces all pods, one after the other: one more comes, which takes `startMs` to start, and as soon as it is ready
   * one of the old goes (maxSurge 1, maxUnavailable 0).
   */
  async roll(startMs: number): Promise<void> {
    for (const old of this.running) {
      await pause(startMs);
      await this.add(1);
      await this.terminate(old);
    }
  }

  /** Waits until all terminating pods have finished their requests and are gone. */
  async ended(): Promise<void> {
    await Promise.all(this.#ending);
  }

  /** Notes what the EndpointSlices say, and when. */
  #follow(): void {
    const locator = servicePort(this.space.name, 'codec', 80);
    const follower = new Follower(this.space.cluster.kubeconfig(), [locator]);
    onTestFinished(() => follower.stop());
    follower.onChange(() => {
      const state = follower.source.pods(locator);
      if (state.kind !== 'pending') this.#note(state.value);
    });
  }

  #note(pods: readonly Pod[]): void {
    const { ready, withdrawn } = this.#told;
    const now = new Set(pods.filter(({ state }) => state === 'ready').map(formatAddress));
    for (const address of now) if (!ready.has(address)) ready.set(address, instant());
    for (const address of ready.keys()) {
      if (!now.has(address) && !withdrawn.has(address)) withdrawn.set(address, instant());
    }
  }

  /** The container sleeps in its preStop hook, finishes what it works on, and closes; then the pod is removed. */
  async #end(address: string, name: string): Promise<void> {
    await pause(PRE_STOP_MS);
    const idle = async () => (await this.pods.counts()).every(({ pod, held }) => pod !== address || held === 0);
    await until(idle, { what: `${address} to finish its requests`, within: 60_000, every: 50 });
    await this.pods.remove(address);
    await this.space.setReady(name, false);
    await this.space.removePod(name, 'at once');
  }
}
