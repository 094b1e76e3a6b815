import { RETURN_MS, Rollout, type RolloutView } from '../../../src/control-plane/rollout.ts';
import { formatAddress } from '../../../src/model/locator.ts';
import type { Model, ServiceWithPods } from '../../../src/model/model.ts';
import { normalizePods, type Pod } from '../../../src/model/pod.ts';
import type { Service } from '../../../src/model/service.ts';
import type { ServiceReport } from '../../../src/slots/events.ts';
import { Member, type Numbered } from '../../../src/slots/member.ts';
import type { FromFilter } from '../../../src/slots/read-message.ts';
import type { Pace } from '../../../src/slots/write-message.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import { type Random, seeded } from '../../e2e/kit/random.ts';
import { serviceName, serviceOf } from '../model/routing-parts.ts';
import { helloOf } from '../slots/hello.ts';
import { podReport, serviceReport } from '../telemetry/reports.ts';

const PACE: Pace = { heartbeatMs: 300, reportMs: 250, deadAfterMs: 1000 };
const NAMES = ['a', 'b', 'c'] as const;
const ADDRESSES = [1, 2, 3, 4].map((port): Pod => ({ ip: '10.0.0.1', port, state: 'ready' }));
const STEP_MS = 5;
/** So long a request waits in the filter for a service that it was never told of. */
const UNKNOWN_MS = 5000;
/** So long nobody may wait beside a pod that has nothing to do, whether Sluice is there or not. */
const IDLE_MS = 1000;
/** A request that has its route may be at other filters, or its worker is busy. */
const ON_ITS_WAY_MS = 400;

interface FilterPod {
  limit: number;
  removed: boolean;
  inUse: number;
}

interface Waiting {
  /** When it came, and for which service. */
  readonly at: number;
  readonly route: string;
}

interface FilterService {
  readonly pods: Map<string, FilterPod>;
  readonly waiting: Waiting[];
  /** Those that came for it, and are at a pod of the one that has taken it over. */
  away: number;
  removed: boolean;
  /** Whether it was configured: who waits for it otherwise is sent away after `UNKNOWN_MS`. */
  known: boolean;
}

/** What of a snapshot Envoy uses. */
interface Active {
  readonly clusters: ReadonlyMap<string, string>;
  readonly endpoints: ReadonlyMap<string, string>;
  readonly pods: ReadonlyMap<string, ReadonlySet<string>>;
  readonly route: string | undefined;
  readonly routeVersion: string | undefined;
}

const EMPTY: Active = {
  clusters: new Map(),
  endpoints: new Map(),
  pods: new Map(),
  route: undefined,
  routeVersion: undefined,
};

/** A rollout with an Envoy, a filter and requests that are all made up; the pods judge. */
export class World {
  readonly faults: string[] = [];
  now = 0;
  served = 0;
  sent = 0;
  readonly #takes: boolean;
  readonly #random: Random;
  #rollout = new Rollout();
  #member: Member | undefined;
  /** The filter that has failed, while Sluice counts what it had. */
  #failed: Member | undefined;
  #model: Model;
  #sources: ReadonlyMap<string, readonly Pod[]> = new Map();
  #view: RolloutView | undefined;
  #sentToEnvoy: Active = EMPTY;
  #takenByEnvoy: Active = EMPTY;
  #unanswered: readonly Active[] = [];
  #active: Active = EMPTY;
  #envoy: { readonly at: number; readonly act: () => void }[] = [];
  readonly #filter = new Map<string, FilterService>();
  #coming: readonly { readonly at: number; readonly route: string }[] = [];
  readonly #running: {
    readonly pod: FilterPod;
    readonly address: string;
    readonly service: string;
    readonly route: string;
    endsAt: number;
  }[] = [];
  /** The services that were taken over, by which others. */
  readonly #takers = new Map<string, string>();
  /** Since when pods have nothing to do, and Sluice is away. */
  readonly #idleSince = new Map<string, number>();
  #downSince = Number.POSITIVE_INFINITY;
  /** Services that had no pod when they were last in the model: who waits for one of them waits in vain. */
  readonly #podless = new Set<string>();
  readonly #allowed = new Map<string, number>();
  #isDown = false;
  #streams = 0;
  #epoch = 1;
  #awaitsFilter = false;

  /** `takes`: whether the filter can take services over, and counts what they have at pods that they have lost. */
  constructor(seed: number, takes = true) {
    this.#takes = takes;
    this.#random = seeded(seed);
    this.#model = this.#makeModel();
    this.#start();
  }

  /** Lets `ms` pass, with requests coming at this rate a step. */
  run(ms: number, rate: number): void {
    for (const end = this.now + ms; this.now < end; this.now += STEP_MS) {
      for (let left = rate; this.#random() < left; left--) this.#arrive();
      const due = this.#envoy.filter(({ at }) => at <= this.now);
      this.#envoy = this.#envoy.filter(({ at }) => at > this.now);
      for (const { act } of due) act();
      this.#joinQueue();
      this.#endRequests();
      this.#judgeUnknown();
      this.#judgeIdle();
      if (this.now % PACE.reportMs === 0) this.#report();
      const wakeAt = this.#rollout.wakeAt;
      if (wakeAt !== undefined && wakeAt <= this.now) this.#step();
    }
  }

  edit(): void {
    for (const { service, pods } of this.#model.services) {
      if (pods.length === 0) this.#podless.add(service.name);
      // The filter may have been told of them.
      else if (this.#member !== undefined) this.#podless.delete(service.name);
    }
    this.#model = this.#makeModel();
    if (!this.#isDown) this.#step();
  }

  /** Sluice ends; Envoy and the filter go on. */
  kill(): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#downSince = this.now;
    this.#member?.close(this.now);
    this.#member = undefined;
    this.#envoy = [];
  }

  /** The filter fails: what it had has an answer, and another one that knows nothing takes its place. */
  trap(): void {
    if (this.#isDown || this.#member === undefined) return;
    this.#member.close(this.now);
    this.#failed = this.#member;
    this.#member = undefined;
    this.#filter.clear();
    this.#takers.clear();
    this.#running.length = 0;
    this.#epoch++;
    this.#later(() => this.#connectFilter(), 200);
    this.#step();
  }

  restart(): void {
    if (!this.#isDown) return;
    // One that had no pods, and was to get some: which, nobody knows, should it have left the model meanwhile.
    for (const [name, { known, pods }] of this.#filter) if (known && pods.size === 0) this.#podless.add(name);
    this.#isDown = false;
    this.#rollout = new Rollout();
    this.#view = undefined;
    this.#sentToEnvoy = this.#active;
    this.#takenByEnvoy = this.#active;
    this.#unanswered = [];
    this.#start();
  }

  get waiting(): number {
    return [...this.#filter.values()].reduce((sum, { waiting }) => sum + waiting.length, 0);
  }

  get isSettled(): boolean {
    // Who waits for a service without pods, and came for one that is gone, keeps that.
    const isInVain = this.#model.services.some(
      ({ service: { name }, pods }) =>
        pods.length === 0 && this.#filter.get(name)?.waiting.some(({ route }) => route !== name) === true,
    );
    return isInVain || (this.#rollout.isSettled && this.#rollout.leaving.length === 0);
  }

  /** Everything, for whoever looks for the cause of a fault. */
  dump(): unknown {
    const pods = (all: Iterable<[string, FilterPod]>) =>
      [...all].map(([a, p]) => `${a} ${p.inUse}/${p.limit}${p.removed ? ' removed' : ''}`);
    return {
      model: this.#model.services.map(
        ({ service, pods: own }) => `${service.name} ${limitOf(service)}: ${own.map(({ port }) => port)}`,
      ),
      route: [this.#model.routing.routes[0]?.name, this.#active.route],
      filter: [...this.#filter].map(([name, { pods: own, waiting, removed }]) => [
        name,
        waiting.length,
        removed,
        pods(own),
      ]),
      endpoints: [...this.#active.pods].map(([name, own]) => `${name}: ${[...own]}`),
      wakeAt: this.#rollout.wakeAt,
    };
  }

  /** What of the model is not as it should be once all is quiet. */
  differences(): readonly string[] {
    const found: string[] = [];
    for (const { service, pods } of this.#model.services) {
      const filter = this.#filter.get(service.name);
      for (const pod of pods) {
        const at = filter?.pods.get(formatAddress(pod));
        if (at?.limit !== limitOf(service) || at.removed)
          found.push(`${service.name} ${formatAddress(pod)}: ${JSON.stringify(at)}`);
      }
      for (const [address, { removed }] of filter?.pods ?? [])
        if (!removed && !pods.some((pod) => formatAddress(pod) === address))
          found.push(`${service.name} still has ${address}`);
      const endpoints = [...(this.#active.pods.get(service.name) ?? [])].sort().join();
      if (endpoints !== pods.map(formatAddress).sort().join()) found.push(`${service.name} endpoints ${endpoints}`);
    }
    // Who waits for one without pods waits.
    const inVain = new Set(
      this.#model.services.filter(({ pods }) => pods.length === 0).map(({ service }): string => service.name),
    );
    const waiting = new Set(this.#all.flatMap(([name, { route }]) => (inVain.has(name) ? [route] : [])));
    for (const name of this.#filter.keys())
      if (!this.#model.services.some(({ service }) => service.name === name) && !waiting.has(name))
        found.push(`${name} is still there`);
    return found;
  }

  #makeModel(): Model {
    const random = this.#random;
    const names = NAMES.filter(() => random() < 0.6);
    if (names.length === 0) names.push('a');
    const pods = new Map<string, Pod[]>(names.map((name) => [name, []]));
    for (const pod of ADDRESSES) {
      const name = random() < 0.85 ? names[Math.floor(random() * names.length)] : undefined;
      if (name !== undefined) pods.get(name)?.push(pod);
    }
    this.#sources = pods;
    const services = names.map((name): ServiceWithPods => {
      const limit = 1 + Math.floor(random() * 3);
      const service = serviceOf(name, { kind: 'dns', host: name, port: 1 }, limit);
      for (const pod of pods.get(name) ?? []) {
        const address = formatAddress(pod);
        this.#allowed.set(address, Math.max(limit, this.#allowed.get(address) ?? 0));
      }
      return { service, pods: normalizePods(pods.get(name) ?? []), isKnown: true };
    });
    const first = names[Math.floor(random() * names.length)] ?? 'a';
    const route = { kind: 'forward', name: first, listeners: [], match: ANY, backends: [] } as const;
    return { routing: { listeners: [], services: services.map(({ service }) => service), routes: [route] }, services };
  }

  #start(): void {
    this.#streams++;
    this.#later(() => this.#connectFilter(), 60);
    // As for a returning Envoy: nothing is sent before its filter has said what it has.
    this.#awaitsFilter = this.#streams > 1;
    this.#step();
  }

  #later(act: () => void, most = 20): void {
    this.#envoy.push({ at: this.now + 1 + this.#random() * most, act });
  }

  #connectFilter(): void {
    const member = new Member(helloOf({ epoch: `${this.#epoch}`, stream: this.#streams, takes: this.#takes }), PACE);
    for (const [name, { pods, waiting, removed }] of this.#filter) {
      if (removed && pods.size === 0) continue;
      const takenBy = this.#takers.has(name) ? serviceName(this.#takerOf(name)) : undefined;
      const service = { ...reportOf(name, pods, waiting.length), takenBy };
      member.receive({ kind: 'service', service }, this.now, '');
    }
    member.receive({ kind: 'hello end' }, this.now, '');
    this.#member = member;
    this.#awaitsFilter = false;
    this.#rollout.join(member);
    this.#step();
  }

  #step(): void {
    if (this.#isDown || this.#awaitsFilter) return;
    const rollout = this.#rollout;
    rollout.setTarget(this.#model, new Set());
    const holdings = {
      sent: (typeUrl: string, name: string) => versionIn(this.#sentToEnvoy, typeUrl, name),
      taken: (typeUrl: string, name: string) => {
        const sent = versionIn(this.#sentToEnvoy, typeUrl, name);
        const all = [this.#takenByEnvoy, ...this.#unanswered];
        return all.every((one) => versionIn(one, typeUrl, name) === sent) ? sent : undefined;
      },
      names: () => [],
      isReturning: () => false,
      lacks: (typeUrl: string, name: string) =>
        [this.#sentToEnvoy, this.#takenByEnvoy, ...this.#unanswered].every(
          (one) => versionIn(one, typeUrl, name) === undefined,
        ),
    };
    const { closedAt = Number.NEGATIVE_INFINITY } = this.#failed ?? {};
    if (this.now - closedAt >= RETURN_MS) this.#failed = undefined;
    const input = {
      members: [this.#failed, this.#member].filter((member) => member !== undefined),
      holdings,
      podsOf: ({ name }: Service) => this.#sources.get(name),
      unhealthy: () => NO_NAMES,
      takenByJobs: () => 0,
      now: this.now,
    };
    for (let again = true; again; ) {
      const view = rollout.step(input);
      again = view !== this.#view;
      this.#view = view;
      if (again) this.#publish(view);
    }
    this.#flush();
  }

  #publish({ model, kept }: RolloutView): void {
    const snapshot = snapshotOf(model);
    this.#rollout.noteSnapshot(snapshot);
    const before = this.#sentToEnvoy;
    const next = activeOf(snapshot, model);
    const keep = <V>(now: ReadonlyMap<string, V>, was: ReadonlyMap<string, V>) =>
      new Map([...now, ...[...was].filter(([name]) => kept.has(serviceName(name)))]);
    const sent: Active = {
      ...next,
      clusters: keep(next.clusters, before.clusters),
      endpoints: keep(next.endpoints, before.endpoints),
      pods: keep(next.pods, before.pods),
    };
    this.#sentToEnvoy = sent;
    this.#unanswered = [...this.#unanswered, sent];
    this.#later(() => {
      // What is on its way comes in order.
      if (this.#sentToEnvoy !== sent) return;
      this.#active = sent;
      for (const { waiting } of this.#filter.values())
        for (const { route } of waiting)
          if (!sent.clusters.has(route)) this.faults.push(`${this.now}: ${route} lost its cluster`);
      this.#later(() => {
        this.#takenByEnvoy = sent;
        this.#unanswered = this.#unanswered.slice(this.#unanswered.indexOf(sent) + 1);
        if (this.#isDown) return;
        this.#rollout.touch([...sent.clusters.keys()].map(serviceName));
        this.#step();
      });
    });
  }

  #flush(): void {
    const member = this.#member;
    if (member === undefined) return;
    member.setSynced();
    const messages = member.takeMessages();
    if (messages.length === 0) return;
    this.#later(() => {
      if (this.#member !== member) return;
      for (const message of messages) this.#apply(message, member);
      this.#grant();
    }, 3);
  }

  #apply({ message, sequence }: Numbered, member: Member): void {
    if (message.kind === 'service' || message.kind === 'pods') {
      const service = this.#service(message.name);
      service.removed = false;
      if (message.kind === 'service') {
        service.known = true;
        this.#takeBack(message.name);
      }
      const set = message.kind === 'service' ? message.pods : message.set;
      const named = new Set([...set].map(([address]) => address));
      const remove =
        message.kind === 'pods' ? message.remove : [...service.pods.keys()].filter((one) => !named.has(one));
      for (const [address, { limit }] of set) {
        const pod = service.pods.get(address);
        if (pod === undefined) service.pods.set(address, { limit, removed: false, inUse: 0 });
        else Object.assign(pod, { limit, removed: false });
      }
      for (const address of remove) this.#removePod(message.name, address);
      if (message.kind === 'service') for (const other of message.takes) this.#takeOver(other, message.name);
    } else if (message.kind === 'remove') {
      const service = this.#service(message.name);
      if (service.waiting.length > 0 && !this.#podless.has(message.name))
        this.faults.push(`${this.now}: ${service.waiting.length} of ${message.name} get 503`);
      service.removed = true;
      service.known = false;
      service.waiting.length = 0;
      for (const address of service.pods.keys()) this.#removePod(message.name, address);
      this.#forgetIfEmpty(message.name);
    } else if (message.kind === 'list waiting') {
      const service = this.#filter.get(message.service);
      const pods = [...(service?.pods ?? [])].map(([address, { inUse }]) => ({ address, inUse }));
      const waiting = service?.waiting.length ?? 0;
      // Those that came for it, and wait for another one now, count as those that are tried again do.
      const claims = this.#all.filter(([name, { route }]) => name !== route && route === message.service).length;
      const away = claims + (service?.away ?? 0);
      this.#say({ kind: 'waiting list', query: message.query, requests: [], waiting, claims, away, pods }, member);
    }
    this.#say({ kind: 'ack', sequence }, member);
  }

  /** Messages of a stream come in order: they take the same time. */
  #say(message: FromFilter, member: Member): void {
    this.#envoy.push({
      at: this.now + STEP_MS,
      act: () => {
        if (this.#member !== member) return;
        for (const event of member.receive(message, this.now, '')) {
          if (event.kind === 'acked') this.#rollout.touch(event.services);
          if (event.kind === 'pod') this.#rollout.touch([event.event.service]);
        }
        this.#step();
      },
    });
  }

  /** All that wait, with the service for which they do. */
  get #all(): readonly (readonly [string, Waiting])[] {
    return [...this.#filter].flatMap(([name, { waiting }]) => waiting.map((one) => [name, one] as const));
  }

  #takerOf(name: string): string {
    const taker = this.#takers.get(name);
    return taker === undefined ? name : this.#takerOf(taker);
  }

  #takeOver(name: string, taker: string): void {
    this.#takers.set(name, taker);
    const service = this.#service(name);
    this.#join(taker, service.waiting.splice(0));
    this.#gather(name, taker);
    for (const address of service.pods.keys()) this.#removePod(name, address);
  }

  #takeBack(name: string): void {
    if (!this.#takers.has(name)) return;
    this.#takers.delete(name);
    this.#gather(name, name);
  }

  /** Moves those that came for a service, wherever they wait. */
  #gather(name: string, to: string): void {
    for (const [other, { waiting }] of this.#filter) {
      if (other === to) continue;
      const own = waiting.filter(({ route }) => route === name);
      waiting.splice(0, waiting.length, ...waiting.filter(({ route }) => route !== name));
      this.#join(to, own);
    }
  }

  #join(name: string, some: readonly Waiting[]): void {
    const { waiting } = this.#service(name);
    waiting.push(...some);
    waiting.sort((a, b) => a.at - b.at);
  }

  #service(name: string): FilterService {
    const service = this.#filter.get(name) ?? { pods: new Map(), waiting: [], away: 0, removed: false, known: false };
    this.#filter.set(name, service);
    return service;
  }

  #removePod(name: string, address: string): void {
    const pod = this.#filter.get(name)?.pods.get(address);
    if (pod === undefined) return;
    pod.removed = true;
    this.#forgetPod(name, address);
  }

  #forgetPod(name: string, address: string): void {
    const service = this.#filter.get(name);
    const pod = service?.pods.get(address);
    if (!pod?.removed || pod.inUse > 0) return;
    service?.pods.delete(address);
    const event = { service: serviceName(name), address, kind: 'forgotten', reason: 'none', forMs: 0 } as const;
    if (this.#member !== undefined) this.#say({ kind: 'pod', event }, this.#member);
    this.#forgetIfEmpty(name);
  }

  #forgetIfEmpty(name: string): void {
    const service = this.#filter.get(name);
    if (!service?.removed || service.pods.size > 0 || service.away > 0) return;
    this.#filter.delete(name);
    this.#takers.delete(name);
  }

  #arrive(): void {
    const { route } = this.#active;
    if (route === undefined) return;
    this.sent++;
    // It has its route, whatever becomes of that now.
    const onItsWay = this.#random() < 0.2 ? this.#random() * ON_ITS_WAY_MS : 0;
    this.#coming = [...this.#coming, { at: this.now + onItsWay, route }];
  }

  #joinQueue(): void {
    const due = this.#coming.filter(({ at }) => at <= this.now);
    this.#coming = this.#coming.filter(({ at }) => at > this.now);
    for (const { route } of due) {
      this.#service(route);
      this.#join(this.#takerOf(route), [{ at: this.now, route }]);
      if (!this.#active.clusters.has(route)) this.faults.push(`${this.now}: ${route} comes to no cluster`);
    }
    this.#grant();
  }

  /** Who waits for a service that the filter was never told of. */
  #judgeUnknown(): void {
    for (const [
      name,
      {
        known,
        waiting: [first],
      },
    ] of this.#filter)
      if (!known && first !== undefined && this.now - first.at > UNKNOWN_MS)
        this.faults.push(`${this.now}: the filter does not know ${name}`);
  }

  /** While Sluice is away nobody who comes by the routes that Envoy has waits beside a pod that has nothing to do. */
  #judgeIdle(): void {
    for (const { port } of ADDRESSES) {
      const address = `10.0.0.1:${port}`;
      const isIdle = this.#isDown && !this.#running.some((one) => one.address === address);
      if (!isIdle) this.#idleSince.delete(address);
      else if (!this.#idleSince.has(address)) this.#idleSince.set(address, this.now);
    }
    const { route } = this.#active;
    if (!this.#takes || route === undefined || this.now - this.#downSince < IDLE_MS) return;
    const first = this.#all.find(([, one]) => one.route === route && this.now - one.at >= IDLE_MS);
    for (const [address, pod] of this.#filter.get(this.#takerOf(route))?.pods ?? []) {
      if (pod.removed || this.now - (this.#idleSince.get(address) ?? this.now) < IDLE_MS) continue;
      if (first !== undefined) this.faults.push(`${this.now}: ${route} waits in ${first[0]} beside ${address}`);
    }
  }

  /** What services have at a pod that they have lost. */
  #passing(name: string, address: string): number {
    if (!this.#takes) return 0;
    const others = [...this.#filter].flatMap(([other, { pods }]) => (other === name ? [] : (pods.get(address) ?? [])));
    return others.reduce((sum, { removed, limit, inUse }) => sum + (removed || limit === 0 ? inUse : 0), 0);
  }

  #grant(): void {
    for (const [name, service] of this.#filter) {
      while (service.waiting.length > 0) {
        const free = [...service.pods].filter(
          ([address, pod]) => !pod.removed && pod.inUse + this.#passing(name, address) < pod.limit,
        );
        const [address, pod] = free.sort(([, a], [, b]) => a.inUse - b.inUse)[0] ?? [];
        if (address === undefined || pod === undefined) break;
        const { route } = service.waiting.shift() ?? { route: name };
        pod.inUse++;
        if (route !== name) this.#service(route).away++;
        if (!this.#active.pods.get(route)?.has(address))
          this.faults.push(`${this.now}: ${route} has no endpoint ${address}`);
        const endsAt = this.now + 10 + this.#random() * (this.#random() < 0.1 ? 800 : 80);
        this.#running.push({ pod, address, service: name, route, endsAt });
        const together = this.#running.filter((one) => one.address === address).length;
        if (together > (this.#allowed.get(address) ?? 0))
          this.faults.push(
            `${this.now}: ${together} on ${address} (${this.#running.filter((one) => one.address === address).map((one) => one.service)})`,
          );
      }
    }
  }

  #endRequests(): void {
    for (const one of [...this.#running]) {
      if (one.endsAt > this.now) continue;
      this.#running.splice(this.#running.indexOf(one), 1);
      one.pod.inUse--;
      this.served++;
      this.#forgetPod(one.service, one.address);
      if (one.route === one.service) continue;
      this.#service(one.route).away--;
      this.#forgetIfEmpty(one.route);
    }
    this.#grant();
  }

  #report(): void {
    const member = this.#member;
    if (member === undefined) return;
    const services = [...this.#filter].map(([name, { pods, waiting }]) => reportOf(name, pods, waiting.length));
    this.#say({ kind: 'report', services, memoryBytes: 0 }, member);
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();
const ANY = { path: { kind: 'prefix', prefix: '/' }, hosts: [], methods: [], headers: [], query: [] } as const;

function limitOf({ discipline }: Service): number {
  return discipline.kind === 'limited' ? discipline.limit : 0;
}

function reportOf(name: string, pods: ReadonlyMap<string, FilterPod>, waiting: number): ServiceReport {
  return serviceReport(name, {
    waiting,
    inUse: [...pods.values()].reduce((sum, { inUse }) => sum + inUse, 0),
    pods: [...pods].map(([address, { limit, inUse, removed }]) =>
      podReport(address, { limit, inUse, state: removed ? 'draining' : 'ready' }),
    ),
  });
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function snapshotOf({ services, routing }: Model): Snapshot {
  return makeSnapshot([
    ...services.flatMap(({ service, pods }) => [
      { typeUrl: TYPE_URLS.cluster, name: service.name, body: bytes(service) },
      { typeUrl: TYPE_URLS.endpoints, name: service.name, body: bytes(pods) },
    ]),
    { typeUrl: TYPE_URLS.routes, name: 'public', body: bytes(routing.routes) },
  ]);
}

function activeOf(snapshot: Snapshot, { services, routing }: Model): Active {
  const versions = (typeUrl: typeof TYPE_URLS.cluster | typeof TYPE_URLS.endpoints) =>
    new Map([...snapshot.types[typeUrl].resources].map(([name, { version }]) => [name, version]));
  return {
    clusters: versions(TYPE_URLS.cluster),
    endpoints: versions(TYPE_URLS.endpoints),
    pods: new Map(services.map(({ service, pods }) => [service.name, new Set(pods.map(formatAddress))])),
    route: routing.routes[0]?.name,
    routeVersion: snapshot.types[TYPE_URLS.routes].resources.get('public')?.version,
  };
}

function versionIn(active: Active, typeUrl: string, name: string): string | undefined {
  if (typeUrl === TYPE_URLS.cluster) return active.clusters.get(name);
  if (typeUrl === TYPE_URLS.endpoints) return active.endpoints.get(name);
  return active.routeVersion;
}
