import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instant, pause } from '../e2e/kit/instant.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { ODD_HEADER } from '../e2e/kit/pod-odd.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { Sluice } from '../e2e/kit/sluice.ts';
import { Clients } from './clients.ts';
import type { History, PlaneTrouble, PodTrouble, Sent, Stall, Version } from './history.ts';
import { requestsOf } from './load-step.ts';
import type { Load, Step } from './schedule.ts';
import { changeLane, LANES, movePod, PODS, routeFileOf, type Setup } from './setup.ts';
import { Stalls } from './stalls.ts';

/** How long what has ended is still looked at, for what follows from it. */
const REMEMBER_MS = 60_000;

/** A pod ends a request before its client does. */
const LONGER_MS = 30_000;

/** So long Sluice waits for Envoys that had services before its start; and a moment more. */
const RETURN_MS = 4500;

/** How often is asked whether an edit is active. */
const ASK_MS = 150;

/** The filter reports its state twice a second; what has been said to it then has been heard. */
const REPORTED_MS = 1000;

/** How to start a world. */
export interface WorldOptions {
  /** The first three parts of the pods' addresses. */
  readonly network?: string;
  /** Of Sluice. */
  readonly logLevel?: 'debug' | 'info';
}

interface Parts {
  readonly sluice: Sluice;
  readonly pods: Pods;
  readonly folder: string;
}

type Open<T> = { -readonly [Key in keyof T]: T[Key] };

/** Pods, Sluice, Envoy and clients, and the history of what they did. */
export class World {
  readonly sluice: Sluice;
  readonly #pods: Pods;
  /** Where Sluice keeps the last good route file. */
  readonly #folder: string;
  readonly #clients: Clients;
  readonly #began = instant();
  readonly #troubles: (Open<PodTrouble> | Open<PlaneTrouble> | Stall)[] = [];
  readonly #stalls: Stalls;
  #stalledMs = 0;
  /** When Sluice was started last. */
  #sluiceBack = 0;
  readonly #versions: Open<Version>[];
  readonly #addresses: readonly string[];
  #sent: Open<Sent>[] = [];
  #visits = new Map<string, PodRequest>();
  #setup: Setup;
  /** What is done to Sluice and Envoy is done one after the other, and so are edits. */
  #plane: Promise<void> = Promise.resolve();
  #file: Promise<void> = Promise.resolve();
  #isStopped = false;
  #settling: Promise<void> = Promise.resolve();
  #isSettling = false;

  private constructor({ sluice, pods, folder }: Parts, setup: Setup) {
    this.sluice = sluice;
    this.#folder = folder;
    this.#pods = pods;
    this.#addresses = [...pods.addresses];
    this.#setup = setup;
    this.#clients = new Clients(sluice.port);
    this.#versions = [{ at: this.#began, settledAt: this.#began, missing: undefined, setup }];
    this.#stalls = new Stalls(
      () => [process.pid, this.sluice.envoy.pid],
      (from, to) => {
        this.#stalledMs += to - from;
        this.#troubles.push({ kind: 'machine', how: 'stall', from, to });
      },
    );
  }

  /** For how long the machine had no processor for clients, pods or Envoy: so long nothing could be said of waiting. */
  get stalledMs(): number {
    return this.#stalledMs;
  }

  /** Starts everything. Errors: rejects when something does not start. */
  static async start(setup: Setup, { network = '127.0.5', logLevel = 'info' }: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-soak-'));
    const pods = await Pods.start({ count: PODS, protocol: 'both', network });
    try {
      const routes = routeFileOf(setup, pods.addresses);
      const sluice = await Sluice.start({ routes, logLevel, args: ['--state-dir', folder, '--allow-trap'] });
      return new World({ sluice, pods, folder }, setup);
    } catch (error) {
      await pods.stop();
      throw error;
    }
  }

  /** Does what a step says; resolves when it is over. Errors: rejects when it cannot be done. */
  do(step: Step, name: string): Promise<void> {
    switch (step.kind) {
      case 'load':
        return this.#load(step, name);
      case 'edit':
        return this.#edit(changeLane(this.#setup, step.lane, step.change));
      case 'move':
        return this.#edit(movePod(this.#setup, step.pod, step.to));
      case 'pod':
        return this.#podTrouble(step);
      case 'broken-file':
        return this.#inFile(() => this.#breakFile(step.ms));
      case 'sluice':
        return this.#inPlane(() => this.#disturbSluice(step.how, step.ms));
      case 'envoy':
        return this.#inPlane(() => this.#disturbEnvoy(step.how, step.ms));
    }
  }

  /** The requests that have not ended. */
  get open(): number {
    return this.#sent.filter(({ result }) => result === undefined).length;
  }

  /** What is known by now, without what has ended long ago. */
  async history(): Promise<History> {
    const now = instant();
    this.#forget(now);
    this.#sent = this.#sent.filter(({ result }) => isRecent(result?.ended, now, REMEMBER_MS));
    // First what clients know: of each of their answers the pods have told by then.
    const sent = this.#sent.map((one) => ({ ...one }));
    for (const visit of await this.#pods.take()) this.#visits.set(`${visit.pod} ${visit.id} ${visit.arrived}`, visit);
    // A client that has no processor hears of its answer long after its pod has given it.
    const open = new Set(sent.map(({ id }) => id));
    for (const [key, { id, ended }] of this.#visits)
      if (!open.has(id) && !isRecent(ended, now, REMEMBER_MS + LONGER_MS)) this.#visits.delete(key);
    return {
      sent,
      visits: [...this.#visits.values()].sort((a, b) => a.arrived - b.arrived),
      versions: this.#versions.map((one) => ({ ...one })),
      troubles: this.#troubles.map((one) => ({ ...one })),
      pods: this.#addresses,
      began: this.#began,
      now,
    };
  }

  /** Leaves out route files and troubles of which nothing can follow any more. */
  #forget(now: number): void {
    const before = now - 2 * REMEMBER_MS;
    const first = this.#versions.findLastIndex(({ settledAt }) => settledAt !== undefined && settledAt < before);
    if (first > 0) this.#versions.splice(0, first);
    while ((this.#troubles[0]?.to ?? now) < before) this.#troubles.shift();
  }

  /** What the route file says now. */
  get setup(): Setup {
    return this.#setup;
  }

  /** The pods' addresses, by number. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** What Sluice and Envoy have logged since they were started last. */
  get log(): readonly string[] {
    const own = this.sluice.process.log.map(({ at, msg, fields }) => {
      return `${((at - this.#began) / 1000).toFixed(3)} ${msg} ${JSON.stringify(fields)}`;
    });
    return [...own, ...this.sluice.envoy.logs.map(({ message }) => `Envoy: ${message}`)];
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether the last edit is active. */
  get isSettled(): boolean {
    return this.#versions.at(-1)?.settledAt !== undefined;
  }

  /** Sends this load, and resolves when all of it has ended. */
  async #load(load: Load, name: string): Promise<void> {
    const began = instant();
    const ends: Promise<void>[] = [];
    for (const request of requestsOf(load, name)) {
      const early = began + request.at - instant();
      if (early > 0.5) await pause(early);
      if (this.#isStopped) break;
      const sent: Open<Sent> = {
        id: request.id,
        lane: load.lane,
        asked: instant(),
        aborts: request.abortAfter !== undefined,
        odd: request.headers?.[ODD_HEADER],
        result: undefined,
      };
      this.#sent.push(sent);
      const send = async () => {
        sent.result = await this.#clients.send(load.client, request);
      };
      ends.push(send());
    }
    await Promise.all(ends);
  }

  #edit(setup: Setup): Promise<void> {
    this.#setup = setup;
    return this.#inFile(async () => {
      this.#versions.push({ at: instant(), settledAt: undefined, missing: undefined, setup });
      await this.sluice.edit(routeFileOf(setup, this.#addresses));
      if (!this.#isSettling) this.#settling = this.#settle();
    });
  }

  async #breakFile(ms: number): Promise<void> {
    await this.sluice.edit('version: 1\nservices: {a0: {static: [nowhere, limit: 0}\n');
    await pause(ms);
    await this.sluice.edit(routeFileOf(this.#setup, this.#addresses));
  }

  /** Waits until the last edit is active, and notes when. */
  async #settle(): Promise<void> {
    this.#isSettling = true;
    let since: number | undefined;
    for (;;) {
      await pause(ASK_MS);
      const last = this.#versions.at(-1);
      if (this.#isStopped || last === undefined || last.settledAt !== undefined) break;
      const asked = instant();
      const missing = await this.#missing(last).catch((error: unknown) => String(error));
      // Another one may have been written meanwhile.
      if (missing !== undefined || this.#versions.at(-1) !== last) {
        last.missing = missing;
        since = undefined;
      } else if (since === undefined) since = asked;
      else if (asked - since >= REPORTED_MS) last.settledAt = instant();
    }
    this.#isSettling = false;
  }

  /** Why the route file is not active yet; undefined: it is. */
  async #missing({ setup }: Version): Promise<string | undefined> {
    // After a start it may still wait for Envoys, whatever it says of services.
    if (instant() - this.#sluiceBack < RETURN_MS) return 'Sluice has just been started';
    const { nodes, services, problems } = await this.sluice.status();
    if (!Array.isArray(services) || !Array.isArray(nodes) || !Array.isArray(problems)) return 'the status says nothing';
    if (!nodes.some(({ filter }) => filter?.state === 'connected')) return 'the filter is not connected';
    const errors = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
    if (errors.length > 0) return errors.join('; ');
    const wrong = LANES.flatMap((lane) => {
      const { name, pods, ...wanted } = setup[lane];
      const found = services.find((service) => service.name === name);
      if (found === undefined || !found.active || found.oldSince !== undefined) return [`${name} is not active`];
      const ready = found.pods.filter(({ state }: { state: string }) => state !== 'draining');
      const seen = { ...found, queueMax: found.queue.max, queueTimeoutMs: found.queue.timeoutMs };
      const other = (['limit', 'protocol', 'queueMax', 'queueTimeoutMs'] as const).filter(
        (key) => seen[key] !== wanted[key],
      );
      const addresses: readonly string[] = ready.map(({ address }: { address: string }) => address);
      const isSame =
        addresses.length === pods.length && pods.every((pod) => addresses.includes(this.#addresses[pod] ?? ''));
      return [
        ...other.map((key) => `${name} has ${key} ${seen[key]}`),
        ...(isSame ? [] : [`${name} has ${addresses}`]),
      ];
    });
    return wrong.length > 0 ? wrong.join('; ') : undefined;
  }

  async #podTrouble({ pod, mode, ms }: Extract<Step, { kind: 'pod' }>): Promise<void> {
    const address = this.#addresses[pod] ?? '';
    const how = mode.kind === 'status' ? `status ${mode.status}` : mode.kind;
    const trouble: Open<PodTrouble> = { kind: 'pod', pod: address, how, from: instant(), to: Number.POSITIVE_INFINITY };
    this.#troubles.push(trouble);
    await this.#pods.setMode(address, mode);
    await pause(ms);
    await this.#pods.setMode(address, { kind: 'normal' });
    trouble.to = instant();
  }

  async #freeze(what: 'sluice' | 'envoy', ms: number): Promise<void> {
    const pid = what === 'sluice' ? this.sluice.process.pid : this.sluice.envoy.pid;
    if (pid === undefined) throw new Error('Sluice does not run');
    const trouble = this.#planeTrouble(what, 'freeze');
    process.kill(pid, 'SIGSTOP');
    await pause(ms);
    process.kill(pid, 'SIGCONT');
    trouble.to = instant();
  }

  #disturbEnvoy(how: 'kill' | 'freeze' | 'trap', ms: number): Promise<void> {
    switch (how) {
      case 'freeze':
        return this.#freeze('envoy', ms);
      case 'kill':
        return this.#killEnvoy(ms);
      case 'trap':
        return this.#trap();
    }
  }

  /** Ends the filter inside Envoy; it is started anew, and what it had is answered. */
  async #trap(): Promise<void> {
    const trouble = this.#planeTrouble('envoy', 'trap');
    const headers = { 'sluice-test-trap': '1' };
    await fetch(`http://127.0.0.1:${this.sluice.port}/a/trap`, { headers }).catch(() => undefined);
    trouble.to = instant();
  }

  #disturbSluice(how: 'kill' | 'restart' | 'freeze', ms: number): Promise<void> {
    return how === 'freeze' ? this.#freeze('sluice', ms) : this.#restart({ how, ms });
  }

  async #restart({ how, ms }: { how: 'kill' | 'restart'; ms: number }): Promise<void> {
    const trouble = this.#planeTrouble('sluice', how);
    await this.sluice.process.end(how === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await pause(ms);
    await this.sluice.restart();
    trouble.to = instant();
    this.#sluiceBack = trouble.to;
  }

  async #killEnvoy(ms: number): Promise<void> {
    const trouble = this.#planeTrouble('envoy', 'kill');
    await this.sluice.killEnvoy();
    await pause(ms);
    await this.sluice.startEnvoyAgain();
    trouble.to = instant();
  }

  #planeTrouble(kind: PlaneTrouble['kind'], how: PlaneTrouble['how']): Open<PlaneTrouble> {
    const trouble: Open<PlaneTrouble> = { kind, how, from: instant(), to: Number.POSITIVE_INFINITY };
    this.#troubles.push(trouble);
    return trouble;
  }

  #inPlane(action: () => Promise<void>): Promise<void> {
    const done = this.#plane.then(() => (this.#isStopped ? undefined : action()));
    this.#plane = done.catch(() => undefined);
    return done;
  }

  #inFile(action: () => Promise<void>): Promise<void> {
    const done = this.#file.then(() => (this.#isStopped ? undefined : action()));
    this.#file = done.catch(() => undefined);
    return done;
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stalls.stop();
    this.#clients.close();
    // What is being killed or frozen comes back first.
    await Promise.all([this.#plane, this.#file, this.#settling]);
    await this.sluice.stop();
    await this.#pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function isRecent(ended: number | undefined, now: number, forMs: number): boolean {
  return ended === undefined || now - ended < forMs;
}
