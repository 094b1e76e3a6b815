import { assertNever } from '../base/assert-never.ts';
import type { Clock } from '../base/clock.ts';
import type {
  Counts,
  EjectionReason,
  JobEvent,
  MemberId,
  PodEvent,
  PodUse,
  ServiceReport,
  SharedUse,
  SlotsEvent,
  TenantReport,
} from '../slots/events.ts';
import { NO_POD } from '../slots/events.ts';
import type { ClassTotals } from './class-traffic.ts';
import { type RecentEvent, RecentEvents } from './events.ts';
import { quantilesOf } from './histogram.ts';
import { History, type Sample } from './history.ts';
import { type Hello, type MemberService, MemberState, type PodReading } from './member-state.ts';
import { ServiceTraffic, type TrafficReading } from './service-traffic.ts';
import { countsOf, durationsOf, type Totals } from './totals.ts';

/** What is known of a queue filter. Times are milliseconds since the epoch. */
export interface MemberReading extends MemberId {
  /** The hash of its code. */
  readonly codeVersion: string;
  readonly peer: string;
  readonly memoryBytes: number;
  readonly connectedSince: number;
  /** When its stream ended; undefined: it is open. */
  readonly lostAt: number | undefined;
}

/** What all members have of a service now. */
export interface ServiceNow {
  readonly waiting: number;
  readonly inUse: number;
  /** When the oldest waiting request came; undefined: none waits. */
  readonly oldestSince: number | undefined;
  /** How long a request that came now would wait, where it would and that is known. */
  readonly expectedWaitMs: number | undefined;
  /** Requests that have not joined the queue, because their bodies are on their way. */
  readonly coming: number;
  /** Jobs whose requests have been answered; they are among those in use. */
  readonly jobs: number;
  /** By address, as `formatAddress` writes it. */
  readonly pods: ReadonlyMap<string, PodReading>;
  /** How many wait of each class, by its name. */
  readonly classes: ReadonlyMap<string, number>;
  /** Tenants that have most, and how many have anything. */
  readonly tenants: readonly TenantReport[];
  readonly busyTenants: number;
  /** From when on it may be out of date, since the stream of a member is down; undefined: it is up to date. */
  readonly oldSince: number | undefined;
}

/** What a filter whose stream is down was last known to have is told for so long. */
const OLD_MS = 30_000;
/** It may come back and go on counting for so long. */
const REMEMBERED_MS = 3_600_000;
/** No more are remembered: node ids come from outside. */
const MOST_REMEMBERED = 200;

/** Of a service with which nothing has happened yet. */
const NOTHING: ServiceNow = {
  waiting: 0,
  inUse: 0,
  oldestSince: undefined,
  expectedWaitMs: undefined,
  coming: 0,
  jobs: 0,
  pods: new Map(),
  classes: new Map(),
  tenants: [],
  busyTenants: 0,
  oldSince: undefined,
};

/** The worst first. */
const WORST: readonly PodUse[] = ['ejected', 'unhealthy', 'trying', 'draining', 'ready'];

/** Everything that queue filters report, added up over them and over their restarts. */
export class Telemetry {
  readonly #clock: Clock;
  readonly #onEvent: (event: RecentEvent) => void;
  readonly #startedAt: number;
  readonly #members = new Map<string, MemberState>();
  readonly #services = new Map<string, ServiceTraffic>();
  readonly #events = new RecentEvents();
  readonly #history = new History();

  /** `onEvent`: told of every event that `note` did not bring, for the log. */
  constructor(clock: Clock, onEvent: (event: RecentEvent) => void = () => {}) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#onEvent = onEvent;
  }

  /** Takes what happens on the streams of the filters. */
  record(event: SlotsEvent): void {
    if (event.kind === 'hello') {
      this.#hello(event);
      return;
    }
    const member = this.#members.get(keyOf(event));
    if (member === undefined) return;
    const now = this.#clock.now();
    const { node } = event;
    switch (event.kind) {
      case 'report':
        member.memoryBytes = event.memoryBytes;
        this.#report(member, event.services);
        break;
      case 'pod':
        member.podEvent(event.event, now);
        if (event.event.address !== NO_POD) this.#happened(podHappened(event.event, node, now));
        break;
      case 'rejected': {
        const message = `the queue filter rejected what Sluice sent: ${event.reason}`;
        this.#happened({ at: now, kind: 'filter rejected', node, message });
        break;
      }
      case 'gone':
        member.lostAt = now;
        this.#happened({
          at: now,
          kind: 'filter disconnected',
          node,
          message: `the queue filter is disconnected: ${event.reason}`,
        });
        break;
      case 'job':
        if (event.event.kind === 'timed out' || event.event.kind === 'lost')
          this.#happened(jobHappened(event.event, node, now));
        break;
      case 'acked':
      case 'synced':
      case 'waiting list':
      case 'holding':
      case 'changes':
      case 'ended':
        break;
      default:
        assertNever(event);
    }
  }

  #hello(hello: Hello): void {
    const now = this.#clock.now();
    const key = keyOf(hello);
    let member = this.#members.get(key);
    if (member === undefined) {
      // The new VM of an Envoy that was started again takes the place of the old one, whose requests are gone.
      for (const other of this.#members.values())
        if (other.id.node === hello.node && other.lostAt !== undefined) other.forget();
      member = new MemberState(hello, now, startOf(hello) >= this.#startedAt);
      this.#members.set(key, member);
    } else member.reconnected(hello, now);
    this.#report(member, hello.services);
    member.complete();
    this.#trim();
    this.#happened({ at: now, kind: 'filter connected', node: hello.node, message: 'the queue filter is connected' });
  }

  #report(member: MemberState, services: readonly ServiceReport[]): void {
    const now = this.#clock.now();
    for (const service of services) {
      const { more, peakWaiting, peakInUse, classesBefore } = member.report(service, now);
      const traffic = this.#traffic(service.name);
      traffic.add(more);
      traffic.classes.add(service.classes, classesBefore);
      const { waiting, inUse } = this.#sum(service.name);
      const mostInUse = service.shared ? inUse + this.#peakOfAll(member, service) : inUse + peakInUse;
      traffic.saw(waiting + peakWaiting, mostInUse);
      traffic.wants(waiting + inUse, now);
    }
  }

  /** How many more slots the workers of an Envoy used at most, of those that they share, than they do as far as is known now. */
  #peakOfAll({ id }: MemberState, { name, mostInUse }: ServiceReport): number {
    const { inUse } = sumOf(this.#parts(name).filter(({ member }) => member.id.node === id.node));
    return Math.max(0, mostInUse - inUse);
  }

  /** Something happened that the log has already, or that comes from elsewhere. */
  note(event: Omit<RecentEvent, 'at'>): void {
    this.#events.add({ ...event, at: this.#clock.now() });
  }

  /** Something happened that belongs into the log as well. */
  tell(event: Omit<RecentEvent, 'at'>): void {
    this.#happened({ ...event, at: this.#clock.now() });
  }

  /** At most so many events of the last hour, newest first. */
  events(most?: number): readonly RecentEvent[] {
    return this.#events.list(this.#clock.now(), most);
  }

  /** The members whose stream is open, or was a moment ago. */
  members(): readonly MemberReading[] {
    return this.#known().map(({ id, codeVersion, peer, memoryBytes, connectedSince, lostAt }) => ({
      ...id,
      codeVersion,
      peer,
      memoryBytes,
      connectedSince,
      lostAt,
    }));
  }

  /** What a service has now; undefined: no member tells of anything. */
  now(service: string): ServiceNow | undefined {
    const parts = this.#parts(service);
    // A filter tells of a service when something happens there.
    if (parts.length === 0) return this.#known().length === 0 ? undefined : NOTHING;
    const oldest = parts.flatMap(({ has: { oldestSince } }) => (oldestSince === undefined ? [] : [oldestSince]));
    const old = parts.flatMap(({ member: { lostAt } }) => (lostAt === undefined ? [] : [lostAt]));
    const expected = Math.max(...parts.map(({ has: { expectedWaitMs } }) => expectedWaitMs));
    return {
      ...sumOf(parts),
      expectedWaitMs: expected > 0 ? expected : undefined,
      coming: parts.reduce((sum, { has }) => sum + has.coming, 0),
      jobs: parts.reduce((sum, { has }) => sum + has.jobs, 0),
      oldestSince: oldest.length === 0 ? undefined : Math.min(...oldest),
      pods: podsOf(parts),
      classes: classesOf(parts),
      tenants: tenantsOf(parts),
      // The same ones come to several members.
      busyTenants: Math.max(...parts.map(({ has }) => has.busyTenants)),
      oldSince: old.length === 0 ? undefined : Math.min(...old),
    };
  }

  /** Finds the pods of a service as its members tell of them, by address: less work than `now` where there are many. */
  podsOf(service: string): Pick<ReadonlyMap<string, PodReading>, 'get'> {
    const parts = this.#parts(service);
    const [only, ...others] = parts;
    if (only === undefined || others.length === 0) return only?.has.pods ?? new Map();
    return {
      get: (address) => {
        const found = parts.flatMap(({ member, has }) => {
          const pod = has.pods.get(address);
          return pod === undefined ? [] : [{ node: member.id.node, pod }];
        });
        return found.length === 0 ? undefined : together(found);
      },
    };
  }

  /** What the requests of a service did; undefined: no member has told of it. */
  traffic(service: string): TrafficReading | undefined {
    return this.#services.get(service)?.read();
  }

  /** The most requests that a service had at a time, waiting or in use, in this last time; 0: none. */
  mostWanted(service: string, lastMs: number): number {
    return this.#services.get(service)?.mostWanted(this.#clock.now() - lastMs) ?? 0;
  }

  /** What became of the requests of a class of a service; undefined: no member has told of the service. */
  classTotals(service: string, name: string): ClassTotals | undefined {
    return this.#services.get(service)?.classes.of(name);
  }

  /** Everything counted of a service since Sluice started; undefined: nothing was. */
  totals(service: string): Totals | undefined {
    return this.#services.get(service)?.total;
  }

  /** The last 15 minutes of a service in steps of 5 s, oldest first. */
  history(service: string): readonly Sample[] {
    return this.#history.of(service);
  }

  /**
   * A slice of time (`SLICE_MS`) has ended. Takes how many slots its services have now, for the history, and forgets
   * everything about services that are not among them.
   */
  rotate(slots: ReadonlyMap<string, number | undefined>): void {
    const names = new Set(slots.keys());
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
    for (const member of this.#members.values()) member.keep(names);
    this.#trim();
    const isKnown = this.#known().length > 0;
    const samples = new Map([...slots].map(([name, count]) => [name, this.#sample(name, count, isKnown)]));
    this.#history.add(this.#clock.now(), samples);
    for (const [name, traffic] of this.#services) {
      const { waiting, inUse } = this.#sum(name);
      traffic.rotate(waiting, inUse);
    }
  }

  /** `isKnown`: there is a member that tells of its services. */
  #sample(name: string, slots: number | undefined, isKnown: boolean): Omit<Sample, 'at'> {
    const traffic = this.#services.get(name);
    const { totals, mostWaiting, mostInUse } = traffic?.current() ?? {
      totals: undefined,
      mostWaiting: 0,
      mostInUse: 0,
    };
    const counts = totals && countsOf(totals);
    const wait = totals && quantilesOf(durationsOf(totals, 'wait').buckets);
    const work = totals && quantilesOf(durationsOf(totals, 'work').buckets);
    const { waiting, inUse } = this.#sum(name);
    return {
      inUse: isKnown ? inUse : undefined,
      waiting: isKnown ? waiting : undefined,
      mostInUse: isKnown ? Math.max(mostInUse, inUse) : undefined,
      mostWaiting: isKnown ? Math.max(mostWaiting, waiting) : undefined,
      slots,
      arrived: counts?.arrived ?? 0,
      ended: counts ? endedOf(counts) : 0,
      refused: counts?.refused ?? 0,
      failed: counts?.failed ?? 0,
      waitP50: wait?.p50,
      waitP99: wait?.p99,
      workP50: work?.p50,
      workP99: work?.p99,
    };
  }

  #happened(event: RecentEvent): void {
    this.#events.add(event);
    this.#onEvent(event);
  }

  #traffic(name: string): ServiceTraffic {
    let traffic = this.#services.get(name);
    if (traffic === undefined) {
      traffic = new ServiceTraffic();
      this.#services.set(name, traffic);
    }
    return traffic;
  }

  /** Those whose numbers may be told. */
  #known(): readonly MemberState[] {
    const now = this.#clock.now();
    return [...this.#members.values()].filter(({ lostAt }) => lostAt === undefined || now - lostAt < OLD_MS);
  }

  #parts(service: string): readonly Part[] {
    return this.#known().flatMap((member) => {
      const has = member.services().get(service);
      return has === undefined ? [] : [{ member, has }];
    });
  }

  #sum(service: string): { readonly waiting: number; readonly inUse: number } {
    return sumOf(this.#parts(service));
  }

  /** Forgets members that will not come back. */
  #trim(): void {
    const now = this.#clock.now();
    const lost = [...this.#members].filter(([, { lostAt }]) => lostAt !== undefined);
    const tooMany = Math.max(0, this.#members.size - MOST_REMEMBERED);
    for (const [index, [key, { lostAt = 0 }]] of lost.entries())
      if (index < tooMany || now - lostAt > REMEMBERED_MS) this.#members.delete(key);
  }
}

/** One member's part of a service. */
interface Part {
  readonly member: MemberState;
  readonly has: MemberService;
}

function keyOf({ node, epoch }: MemberId): string {
  return `${epoch} ${node}`;
}

/** When the VM of a member started, in milliseconds: its epoch is the nanoseconds of its clock. */
function startOf({ epoch }: MemberId): number {
  return Number(epoch) / 1e6;
}

function sumOf(parts: readonly Part[]): { readonly waiting: number; readonly inUse: number } {
  const waiting = parts.reduce((sum, { has }) => sum + has.waiting, 0);
  return { waiting, inUse: inUseOf(parts.map(({ member, has }) => ({ node: member.id.node, ...has }))) };
}

/** What a member uses, of a service or of a pod, and what the workers of its Envoy use together. */
interface Use {
  readonly node: string;
  readonly inUse: number;
  readonly shared?: SharedUse | undefined;
}

/**
 * The slots that members use. Of the workers of an Envoy that share them the newest says how many all use: a slot that went from one to
 * another between their reports would count twice.
 */
function inUseOf(uses: readonly Use[]): number {
  let sum = 0;
  for (const ofNode of Map.groupBy(uses, ({ node }) => node).values()) {
    const newest = ofNode.reduce((best: SharedUse | undefined, { shared }) => {
      return shared !== undefined && (best === undefined || shared.version > best.version) ? shared : best;
    }, undefined);
    sum += newest?.inUse ?? ofNode.reduce((total, { inUse }) => total + inUse, 0);
  }
  return sum;
}

function classesOf(parts: readonly Part[]): ReadonlyMap<string, number> {
  const waiting = new Map<string, number>();
  for (const { has } of parts)
    for (const one of has.classes) waiting.set(one.name, (waiting.get(one.name) ?? 0) + one.waiting);
  return waiting;
}

/** More tenants are not told of: any number may have something. */
const MOST_TENANTS = 10;

function tenantsOf(parts: readonly Part[]): readonly TenantReport[] {
  const sums = new Map<string, TenantReport>();
  for (const { name, waiting, inUse } of parts.flatMap(({ has }) => has.tenants)) {
    const sum = sums.get(name);
    sums.set(name, { name, waiting: waiting + (sum?.waiting ?? 0), inUse: inUse + (sum?.inUse ?? 0) });
  }
  const size = ({ waiting, inUse }: TenantReport) => waiting + inUse;
  return [...sums.values()].sort((a, b) => size(b) - size(a)).slice(0, MOST_TENANTS);
}

/** Members share the limit of a pod: the workers of an Envoy, and several Envoys. */
function podsOf(parts: readonly Part[]): ReadonlyMap<string, PodReading> {
  const [only, ...others] = parts;
  // Mostly there is one Envoy with one worker, and its pods may be tens of thousands.
  if (only !== undefined && others.length === 0) return only.has.pods;
  const all = parts.flatMap(({ member, has }) =>
    [...has.pods].map(([address, pod]) => ({ address, node: member.id.node, pod })),
  );
  const pods = [...Map.groupBy(all, ({ address }) => address)].map(
    ([address, readings]) => [address, together(readings)] as const,
  );
  return new Map(pods);
}

/** A pod of which several members tell. */
function together(readings: readonly { readonly node: string; readonly pod: PodReading }[]): PodReading {
  const pods = readings.map(({ pod }) => pod);
  const worst = pods.reduce((worse, pod) => (WORST.indexOf(pod.state) < WORST.indexOf(worse.state) ? pod : worse));
  const inUse = inUseOf(readings.map(({ node, pod }) => ({ ...pod, node })));
  return { ...worst, limit: Math.max(...pods.map(({ limit }) => limit)), inUse };
}

/** Requests that came to an end at a pod, or were given up. */
function endedOf({ answered, failed, waitTimeouts, workTimeouts, unserved, deadlines }: Counts): number {
  return answered + failed + waitTimeouts + workTimeouts + unserved + deadlines;
}

function podHappened({ service, address: pod, kind, reason, forMs }: PodEvent, node: string, at: number): RecentEvent {
  const about = { at, service, pod, node };
  switch (kind) {
    case 'ejected':
      return { ...about, kind: 'pod ejected', message: `ejected for ${seconds(forMs)}${EJECTED[reason]}` };
    case 'returned':
      return { ...about, kind: 'pod returned', message: 'is tried again after its ejection' };
    case 'forgotten':
      return { ...about, kind: 'pod drained', message: 'removed: its last request has ended' };
    default:
      return assertNever(kind);
  }
}

function jobHappened({ service, address: pod, id, kind }: JobEvent, node: string, at: number): RecentEvent {
  const why = kind === 'lost' ? 'its pod does not know it any more' : 'it took longer than async.timeout';
  return { at, service, pod, node, kind: 'job ended', message: `job ${id} was ended: ${why}` };
}

const EJECTED = {
  none: '',
  unreachable: ': cannot be reached',
  'gateway errors': ': answered 502, 503 or 504 several times in a row',
  'consecutive 5xx': ': answered 5xx several times in a row',
} as const satisfies Record<EjectionReason, string>;

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}
