import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grpcClient } from '../../test/e2e/kit/client-grpc.ts';
import { http1Client } from '../../test/e2e/kit/client-http1.ts';
import { instant, pause } from '../../test/e2e/kit/instant.ts';
import { type LoadClient, startLoad } from '../../test/e2e/kit/load.ts';
import { Pods } from '../../test/e2e/kit/pods.ts';
import { steady } from './arrivals.ts';
import { cpuOf, difference, memoryOf } from './cost/process-cost.ts';
import { rounded } from './measures/distribution.ts';
import { measure } from './measures/measure.ts';
import type { Opponent, OpponentKind } from './opponents/opponent.ts';
import type { Run } from './results.ts';
import type { Plan, PodChange, Scenario } from './scenarios/scenario.ts';
import { fixedJobs } from './service-times.ts';

/** After the last request was sent, a run is given this long; what has no answer then is an error. */
const PATIENCE_MS = 20_000;

/** How long an opponent gets to settle after its pods were set back. */
const SETTLE_MS = 1500;

const WARM_UP_MS = 600;

/** An opponent with pods of its own, for all repeats of one scenario. */
export class Contestant {
  readonly kind: OpponentKind;
  readonly #scenario: Scenario;
  readonly #pods: Pods;
  readonly #addresses: readonly string[];
  readonly #opponent: Opponent;
  readonly #folder: string;

  private constructor(kind: OpponentKind, scenario: Scenario, pods: Pods, { opponent, folder }: Started) {
    this.kind = kind;
    this.#scenario = scenario;
    this.#pods = pods;
    this.#addresses = [...pods.addresses];
    this.#opponent = opponent;
    this.#folder = folder;
  }

  /** Starts pods at 127.0.`network`.x and the opponent in front of them. */
  static async start(kind: OpponentKind, scenario: Scenario, network: number): Promise<Contestant> {
    const { pods: count, members, limit, protocol, checkEvery, order } = scenario;
    const pods = await Pods.start({ count, protocol, workers: limit, network: `127.0.${network}` });
    const folder = await mkdtemp(join(tmpdir(), 'sluice-compare-'));
    try {
      const opponent = await kind.start({
        pods: pods.addresses.slice(0, members),
        limit,
        protocol,
        checkEvery,
        order,
        folder,
      });
      return new Contestant(kind, scenario, pods, { opponent, folder });
    } catch (error) {
      await pods.stop();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Sends short requests for a moment and measures nothing: code that has not run yet is slow in load, pods and proxy
   * alike, and whoever came first would pay for the load's.
   */
  async warmUp(): Promise<void> {
    await this.#load({ requests: steady(WARM_UP_MS, 300, { name: 'warm', work: fixedJobs(2).draw }), changes: [] });
  }

  /** Carries out a plan and measures it. */
  async run(plan: Plan, repeat: number): Promise<Run> {
    await this.#pods.forget();
    const before = cpuOf(this.#opponent.processes());
    const { results, began } = await this.#load(plan);
    const cpuMs = difference(cpuOf(this.#opponent.processes()), before);
    const residentMb = memoryOf(this.#opponent.processes());
    const requests = await this.#pods.requests();
    const observed = { scenario: this.#scenario, plan, began, pods: this.#addresses, results, requests };
    return { opponent: this.kind.name, repeat, ...measure(observed, this.#drawn(repeat)), cpuMs, residentMb };
  }

  /** Whether a picture shows this run over time. */
  #drawn(repeat: number): boolean {
    const { picture } = this.#scenario;
    return picture === 'rising' || (picture === 'pods' && repeat === 0);
  }

  /** Brings the pods back to where they were before the first run. */
  async reset(): Promise<void> {
    await this.#opponent.setPods(this.#addresses.slice(0, this.#scenario.members));
    await pause(SETTLE_MS);
  }

  async stop(): Promise<void> {
    await this.#opponent.stop();
    await this.#pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #load(plan: Plan) {
    const client = this.#client();
    try {
      const run = startLoad(client, withPatience(plan));
      const changes = plan.changes.map((change) => this.#changeAt(change, run.began));
      const results = await run.results;
      await Promise.all(changes);
      return { results, began: run.began };
    } finally {
      client.close();
    }
  }

  #client(): LoadClient {
    const target = { port: this.#opponent.port };
    return this.#scenario.protocol === 'grpc' ? grpcClient(target) : http1Client(target);
  }

  async #changeAt(change: PodChange, began: number): Promise<void> {
    await pause(Math.max(0, began + change.at - instant()));
    const address = (pod: number) => this.#addresses[pod] ?? '';
    if (change.kind === 'members') await this.#opponent.setPods(change.members.map(address));
    else await this.#pods.setMode(address(change.pod), { kind: change.kind === 'dies' ? 'dead' : 'normal' });
  }
}

interface Started {
  readonly opponent: Opponent;
  readonly folder: string;
}

function withPatience({ requests }: Plan) {
  const last = requests.reduce((latest, { at }) => Math.max(latest, at), 0);
  return requests.map((request) => ({ ...request, abortAfter: rounded(last - request.at + PATIENCE_MS) }));
}
