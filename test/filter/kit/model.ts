import type { sluice } from '#xds';
import { type Random, seeded } from '../../e2e/kit/random.ts';
import { OrderModel, PLAIN } from './order-model.ts';
import { WasmHost } from './wasm-host.ts';

/** How long a run of the model was, and what happened in it: so that a test can see that all of it was tried. */
export interface ModelRun {
  readonly steps: number;
  readonly memory: number;
  readonly happened: Readonly<Record<string, number>>;
}

interface Pod {
  readonly address: string;
  limit: number;
  unhealthy: boolean;
  removed: boolean;
  /** Requests of it that run, and slots that are kept for a moment. */
  readonly held: Set<Request>;
  /** Requests whose further tries wait for a slot here. */
  readonly claims: Set<Request>;
  gatewayRow: number;
  row5xx: number;
  /** Until then it is ejected; undefined: it is not. */
  ejectedUntil: number | undefined;
  ejections: number;
  returnedAt: number;
  trying: boolean;
  /** Since when its service has no slots of it; undefined: it has some. */
  emptySince: number | undefined;
}

interface Request {
  readonly context: number;
  readonly service: Service;
  readonly came: number;
  /** Its `x-request-id`, by which it can be asked for; undefined: its service told no places when it came. */
  readonly id: string | undefined;
  readonly class: number;
  readonly tenant: string | undefined;
  /** Slots that it takes, and until when it waits. */
  readonly cost: number;
  readonly due: number;
  pod: Pod | undefined;
  /** The context of its try; 0: the router rests before the next one. */
  tried: number;
  /** The pod for a slot of which its further try waits, and since when. */
  claim: Pod | undefined;
  claimedAt: number;
  isConnected: boolean;
  /** Its slot is kept until then. */
  keptUntil: number | undefined;
  /** With it its pod ends it, should it be a job. */
  token: string | undefined;
  /** When the time of the job is over; undefined: it is none. */
  jobUntil: number | undefined;
}

type Deadline = 'off' | 'exact' | 'early';

interface Service {
  readonly name: string;
  known: boolean;
  queueMax: number;
  timeout: number;
  hold: number;
  gateway: number;
  consecutive5xx: number;
  tellPlace: boolean;
  /** How long a job may take; 0: there are none. */
  jobMs: number;
  /** Requests that have their answer, and keep their slot. */
  readonly jobs: Set<Request>;
  /** Names of its classes; empty: it has none. */
  classes: readonly string[];
  usual: number;
  readonly order: OrderModel<Request>;
  /** Its requests may cost several slots. Then only the bounds are held against the model, not the order. */
  readonly costly: boolean;
  /** Its tenants are numbered as in the model: until the service is forgotten. */
  mayBeFair: boolean;
  deadlines: Deadline;
  /** Some that wait came while deadlines were early. */
  wasEarly: boolean;
  readonly pods: Map<string, Pod>;
  /** Slots of clients that left, of requests that had no pod at the moment. */
  readonly keptAway: Request[];
  readonly working: Set<Request>;
  /** When it was last configured. */
  changedAt: number;
}

const CLASSES = ['high', 'normal', 'low', 'x'];
const TENANTS = ['a', 'b', 'c', 'd'];
/** What a tenant is called that has no name. */
const NAMELESS = '-';
/** No pod of the model has a higher limit. */
const LIMIT_MAX = 3;
/** How long is waited for a service that Sluice has not told of, and for slots of the pod of a further try. */
const UNKNOWN_WAIT = 100;
const CLAIM_WAIT = 2 * UNKNOWN_WAIT;
const BASE_MS = 50;
const MAX_MS = 120;
/** A tick comes at the next whole millisecond. */
const TICK = 1;
/** The filter answers so many in place of a pod in one call. */
const REFUSED_AT_ONCE = 48;
const CONNECTED = 0;
const CLIENT_LEFT = 0x4000;
const CONNECT_FAILURE = 0x20;
const CONNECTION_ENDED = 0x40;
const TIMED_OUT = 0x4;
const PROTOCOL_ERROR = 0x800000;

/**
 * Drives the filter with random steps, and holds every decision of it against a model of its own: which request goes when and
 * where, who is refused, which pod is ejected. Throws at the first that differs.
 */
export function runModel(code: WebAssembly.Module, seed: number, steps: number): ModelRun {
  return new Model(code, seed).run(steps);
}

class Model {
  readonly #random: Random;
  readonly #seed: number;
  readonly #host: WasmHost;
  readonly #services: readonly Service[];
  readonly #happened: Record<string, number> = {};
  #step = 0;
  #arrivals = 0;
  /** When Sluice was there last after it was not. */
  #welcomedAt = 0;
  /** So many were told that they waited too long, since the newest configuration of a service. */
  #timeouts = 0;
  #arriving: Request | undefined;

  constructor(code: WebAssembly.Module, seed: number) {
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#host = new WasmHost(code, { unknownWaitMs: UNKNOWN_WAIT });
    this.#services = ['work', 'other/service.v1'].map((name) => newService(name, this.#chance(0.25)));
    this.#connect();
    for (const service of this.#services) if (this.#chance(0.9)) this.#configure(service);
  }

  run(steps: number): ModelRun {
    for (this.#step = 0; this.#step < steps; this.#step++) this.#one();
    this.#drain();
    return { steps, memory: this.#host.memory, happened: this.#happened };
  }

  // ---- Steps ----

  #one(): void {
    const service = this.#pick(this.#services);
    const dice = this.#random() * 100;
    if (dice < 1) this.#ask(service);
    else if (dice < 3) this.#endJob(service);
    else if (dice < 36) this.#arrive(service);
    else if (dice < 66) this.#end(service);
    else if (dice < 70) this.#leaveWaiting(service);
    else if (dice < 74) this.#leaveWorking(service);
    else if (dice < 76.5) this.#retry(service);
    else if (dice < 77) this.#connectTry(service);
    else if (dice < 80) this.#breakOff(service);
    else if (dice < 83) this.#change(service);
    else if (dice < 84) this.#configure(service);
    else if (dice < 84.3) this.#host.reconfigure();
    else if (dice < 84.6) this.#reconnect();
    else if (dice < 84.7) this.#removeService(service);
    else this.#pass(1 + Math.floor(this.#random() * 12));
    this.#check();
  }

  #arrive(service: Service): void {
    const before = this.#host.replies.length;
    this.#arrivals += 1;
    const id = `id-${this.#arrivals}`;
    const asks = this.#pick([undefined, ...CLASSES]);
    const ofRoute = this.#chance(0.1) ? this.#pick(CLASSES) : undefined;
    const tenant = this.#pick([undefined, ...TENANTS]);
    const cost = this.#pick([undefined, '1', '2', '3', '4', '0', 'x']);
    const due = this.#chance(0.3) ? this.#pick(DUES) : undefined;
    const headers = {
      'x-class': asks,
      'x-tenant': tenant,
      'x-cost': cost,
      ...due?.headers(this.#host.time),
      'x-request-id': id,
    };
    const properties = ofRoute === undefined ? {} : { 'xds\0route_metadata\0filter_metadata\0sluice\0class': ofRoute };
    const { context, goesOn } = this.#host.request(service.name, written(headers), properties);
    const { rules } = service.order;
    const request: Request = {
      context,
      service,
      came: this.#host.time,
      id: service.tellPlace ? id : undefined,
      class: classOf(service, ofRoute, asks),
      tenant: rules.fair === undefined ? undefined : (tenant ?? NAMELESS),
      cost: service.known && service.costly ? costOf(cost) : 1,
      // With `early` the usual work counts as well, which the model does not know.
      due: service.deadlines === 'off' || due === undefined ? Number.POSITIVE_INFINITY : this.#host.time + due.ms,
      pod: undefined,
      tried: 0,
      claim: undefined,
      claimedAt: 0,
      isConnected: false,
      keptUntil: undefined,
      token: undefined,
      jobUntil: undefined,
    };
    if (request.tenant !== undefined) service.order.meet(request.tenant);
    if (goesOn) {
      if (request.due <= this.#host.time) this.#fail('a request goes on whose deadline is over');
      if (service.order.waiting.length === 0) this.#happen('at once');
      service.order.join(request);
      this.#arriving = request;
      this.#settle();
      return;
    }
    const refusal = this.#refusal(request);
    const [reply] = this.#host.replies.splice(before, 1);
    if (reply === undefined) {
      service.order.join(request);
      this.#settle();
      // Others may have gone on first.
      const isFull = service.known && service.order.waiting.length > service.queueMax;
      const isLate = refusal === 'sluice_deadline' || refusal === 'sluice_too_costly';
      if (isFull || isLate || !service.order.mayStay(request.tenant)) this.#fail(`waits, and not: ${refusal}`);
      return;
    }
    // Once those have gone on that may, the queue may have room, and its tenant none.
    const isTenantFull = reply.details === 'sluice_tenant_full' && !service.order.mayWait(request.tenant);
    const isLateEarly = service.deadlines === 'early' && reply.details === 'sluice_deadline';
    if (reply.details !== refusal && !isLateEarly && !(refusal === 'sluice_queue_full' && isTenantFull))
      this.#fail(`answered ${reply.details} in place of ${refusal}`);
    this.#settle();
    if (reply.status === 429 && !(Number(reply.headers['retry-after']) >= 1)) this.#fail('an odd refusal');
    if (reply.details === 'sluice_tenant_full' && !reply.body.includes(`tenant ${request.tenant} wait`))
      this.#fail(reply.body);
    if (reply.details === 'sluice_too_costly' && reply.status !== 400)
      this.#fail(`${reply.status} for one that costs too much`);
    if (reply.details === 'sluice_deadline' && reply.status !== 504) this.#fail(`${reply.status} for a late one`);
    this.#happen(`refused: ${reply.details}`);
    this.#host.done(context);
  }

  /** A client asks where its request stands. */
  #ask(service: Service): void {
    const request = this.#pick([...service.order.waiting, ...service.working].filter(({ id }) => id !== undefined));
    const before = this.#host.replies.length;
    const path = `/.well-known/sluice/requests/${request?.id ?? 'nobody'}`;
    const { context, goesOn } = this.#host.request('', { ':path': path });
    const [reply] = this.#host.replies.splice(before);
    if (goesOn || reply?.details !== 'sluice_answer') this.#fail('a question was not answered');
    this.#host.done(context);
    if (reply.status !== (request === undefined ? 404 : 200)) this.#fail(`a question was answered ${reply.status}`);
    if (request === undefined) return;
    const { position, state } = JSON.parse(reply.body);
    const isWaiting = service.order.waiting.includes(request);
    // Who else waits has another class, tenant or cost: then only those of one kind stand in a known order.
    const place = isWaiting ? (isPlain(service) ? service.order.waiting.indexOf(request) + 1 : position) : 0;
    if (position !== place || position > service.order.waiting.length || state !== (place > 0 ? 'waiting' : 'working'))
      this.#fail(`place ${position}, ${state}, in place of ${place}`);
    this.#happen('asked for its place');
  }

  /** What a request is told that may not wait; undefined: it may. */
  #refusal({ service, due, cost, tenant }: Request): string | undefined {
    if (due <= this.#host.time) return 'sluice_deadline';
    if (service.known && service.costly && cost > LIMIT_MAX) return 'sluice_too_costly';
    if (service.known && service.order.waiting.length >= service.queueMax) return 'sluice_queue_full';
    return service.order.mayWait(tenant) ? undefined : 'sluice_tenant_full';
  }

  #end(service: Service): void {
    const request = this.#pick(atPods(service));
    if (request === undefined) return;
    if (service.jobMs > 0 && request.token !== undefined && this.#chance(0.3)) {
      this.#beginJob(service, request);
      return;
    }
    const status = this.#pickStatus();
    const isWhole = this.#chance(0.3);
    this.#happen(`status ${status}`);
    this.#host.connect(request.tried);
    this.#judge(service, request.pod, status);
    this.#host.answer(request.tried, { ':status': String(status) }, isWhole);
    this.#settle();
    if (isWhole) this.#releaseAnswered(request);
    this.#host.answer(request.context, { ':status': String(status) }, isWhole);
    this.#settle();
    if (!isWhole) {
      this.#host.body(request.context, false);
      this.#releaseAnswered(request);
      if (this.#chance(0.5)) this.#host.body(request.context, true);
      else this.#host.trailers(request.context, {});
      this.#settle();
    }
    this.#host.done(request.tried);
    this.#host.done(request.context);
  }

  /** A pod takes a job: the request has its answer, and keeps its slot. */
  #beginJob(service: Service, request: Request): void {
    this.#happen('a job began');
    this.#host.connect(request.tried);
    this.#judge(service, request.pod, 202);
    this.#host.answer(request.tried, { ':status': '202' }, true);
    this.#settle();
    service.working.delete(request);
    service.jobs.add(request);
    request.jobUntil = this.#host.time + service.jobMs;
    this.#host.answer(request.context, { ':status': '202', 'sluice-job': `job-${request.context}` }, true);
    this.#settle();
    this.#host.done(request.tried);
    this.#host.done(request.context);
  }

  /** A pod says that a job is done; or somebody who has no token for it. */
  #endJob(service: Service): void {
    const request = this.#pick([...service.jobs]);
    if (request === undefined) return;
    const isRight = this.#chance(0.8);
    const before = this.#host.replies.length;
    const token = isRight ? (request.token ?? '') : '0'.repeat(32);
    const path = `/.well-known/sluice/jobs/job-${request.context}/done`;
    if (isRight) this.#releaseJob(request);
    const headers = { ':method': 'POST', ':path': path, 'sluice-job-token': token };
    const { context, goesOn } = this.#host.request('', headers);
    const [reply] = this.#host.replies.splice(before);
    if (goesOn || reply?.status !== (isRight ? 200 : 404)) this.#fail(`the end of a job was answered ${reply?.status}`);
    this.#happen(isRight ? 'a job ended' : 'a job was not ended');
    this.#settle();
    this.#host.done(context);
  }

  #releaseJob(request: Request): void {
    request.service.jobs.delete(request);
    request.service.order.end(request);
    if (request.pod !== undefined) this.#free(request.pod, request);
  }

  #leaveWaiting(service: Service): void {
    const request = this.#pick(service.order.waiting);
    if (request === undefined) return;
    service.order.leave(request);
    this.#happen('left while it waited');
    this.#host.done(request.context, CLIENT_LEFT);
  }

  #leaveWorking(service: Service): void {
    const request = this.#pick([...service.working]);
    if (request === undefined) return;
    const begun = request.pod !== undefined && request.tried !== 0 && this.#chance(0.5);
    if (begun) {
      this.#host.connect(request.tried);
      this.#judge(service, request.pod, 200);
      this.#beginAnswer(request);
      this.#settle();
    }
    this.#happen('left while a pod worked');
    this.#keep(request);
    this.#host.done(request.context, CLIENT_LEFT);
    if (request.tried !== 0) this.#host.done(request.tried, CLIENT_LEFT);
  }

  /** A try fails, and the router tries another pod, or the same. */
  #retry(service: Service): void {
    // What a further try takes of a pod with too few slots is held by the properties of queue.ts.
    const request = service.costly ? undefined : this.#pick([...service.working]);
    if (request === undefined) return;
    const from = request.pod;
    const refused = request.isConnected || this.#chance(0.3);
    if (request.tried !== 0) {
      // One that waits for a slot has not been at that pod.
      if (from !== undefined && refused) this.#host.connect(request.tried);
      else if (from !== undefined) this.#eject(service, from);
      this.#unclaim(request);
      this.#host.done(request.tried, CONNECTED);
      request.tried = 0;
      if (this.#chance(0.3)) {
        this.#happen('a further try came later');
        return;
      }
    }
    // Envoy may have one that was removed, or that is new.
    const to = this.#chance(0.1) ? this.#stranger(service) : (this.#pick([...service.pods.values()]) ?? from);
    if (to === undefined) return;
    const stays = to === from;
    if (!stays && from !== undefined) {
      request.pod = undefined;
      this.#free(from, request);
    }
    // Those with a connection that claimed a slot there before it go first.
    const before = [...to.claims].filter(({ isConnected }) => isConnected).length;
    request.isConnected = this.#chance(0.6);
    const isRoom = stays || (request.isConnected && to.held.size + before + this.#passing(to) < mostTries(to));
    const { context, goesOn } = this.#host.try(request.context, to.address, request.isConnected);
    if (goesOn !== isRoom) this.#fail(`a further try ${goesOn ? 'goes on' : 'waits'} with ${to.held.size} at its pod`);
    request.tried = context;
    if (goesOn) this.#arriveAt(request, to);
    else {
      request.claim = to;
      request.claimedAt = this.#host.time;
      to.claims.add(request);
      this.#happen(to.emptySince === undefined ? 'a try waited' : 'a try waited at a pod without slots');
    }
    this.#happen(refused ? 'a stream was refused' : 'unreachable');
  }

  /** Envoy gets a connection for a try that waits for its slot. */
  #connectTry(service: Service): void {
    const request = this.#pick([...service.working].filter(({ claim, isConnected }) => claim && !isConnected));
    if (request === undefined) return;
    this.#host.connect(request.tried);
    request.isConnected = true;
    this.#happen('a connection came later');
    // It is seen with the tick that comes at once where there is a slot for it.
    this.#pass(TICK);
  }

  /** A pod breaks off, or Envoy ends the request. */
  #breakOff(service: Service): void {
    const request = this.#pick(atPods(service));
    if (request === undefined) return;
    const dice = this.#random();
    if (dice < 0.3) {
      this.#host.connect(request.tried);
      this.#judge(service, request.pod, 200);
      this.#beginAnswer(request);
      this.#settle();
      this.#happen('broken off in its answer');
      this.#host.done(request.tried);
      this.#release(request);
      this.#host.done(request.context, CONNECTION_ENDED);
      return;
    }
    if (dice < 0.5) {
      this.#happen('timeout.request');
      this.#host.connect(request.tried);
      this.#host.done(request.tried);
      this.#keep(request);
      this.#host.answerLocally(request.context, 504, TIMED_OUT);
    } else if (dice < 0.7) {
      this.#happen('broken off before its answer');
      this.#host.connect(request.tried);
      this.#host.done(request.tried);
      this.#judge(service, request.pod, 503);
      this.#releaseAnswered(request);
      this.#host.answerLocally(request.context, 503, CONNECTION_ENDED);
    } else if (dice < 0.85) {
      this.#happen('an unreadable answer');
      this.#host.connect(request.tried);
      this.#host.done(request.tried);
      this.#releaseAnswered(request);
      this.#host.answerLocally(request.context, 502, PROTOCOL_ERROR);
    } else {
      this.#happen('unreachable without a retry');
      if (request.pod !== undefined) this.#eject(service, request.pod);
      this.#host.done(request.tried);
      this.#releaseAnswered(request);
      this.#host.answerLocally(request.context, 503, CONNECT_FAILURE);
    }
    this.#settle();
    this.#host.done(request.context);
  }

  #beginAnswer(request: Request): void {
    this.#host.answer(request.tried, { ':status': '200' }, false);
    this.#settle();
    this.#host.answer(request.context, { ':status': '200' }, false);
  }

  #configure(service: Service): void {
    const wasKnown = service.known;
    service.known = true;
    service.changedAt = this.#host.time;
    service.queueMax = Math.floor(this.#random() * 12);
    service.timeout = this.#chance(0.5) ? 0 : 5 + Math.floor(this.#random() * 40);
    service.hold = this.#chance(0.3) ? 0 : 5;
    service.gateway = this.#chance(0.3) ? 0 : 3;
    service.consecutive5xx = this.#chance(0.6) ? 0 : 4;
    service.tellPlace = this.#chance(0.5);
    service.jobMs = this.#chance(0.4) ? 20 + Math.floor(this.#random() * 60) : 0;
    const pods = Array.from({ length: Math.floor(this.#random() * 5) }, () => this.#randomPod());
    const unique = [...new Map(pods.map((pod) => [pod.address, pod])).values()];
    for (const pod of service.pods.values())
      if (!unique.some(({ address }) => address === pod.address)) this.#drop(pod);
    for (const pod of unique) this.#setPod(service, pod);
    this.#happen('a service was sent');
    service.classes = this.#chance(0.5) ? [] : CLASSES.slice(0, 1 + Math.floor(this.#random() * CLASSES.length));
    service.usual = Math.floor(this.#random() * Math.max(1, service.classes.length));
    const maxWaits = service.classes.map(() => (this.#chance(0.5) ? 0 : 5 + Math.floor(this.#random() * 30)));
    const isFair = service.mayBeFair && this.#chance(0.4);
    const fair = {
      weights: this.#chance(0.5) ? {} : { b: 3, d: 2 },
      waitingMax: this.#chance(0.5) ? 0 : 3,
      slotsMax: this.#chance(0.5) ? 0 : 2,
    };
    service.order.set({ maxWaits: service.classes.length === 0 ? [0] : maxWaits, ...(isFair && { fair }) });
    service.wasEarly ||= service.deadlines === 'early';
    service.deadlines = this.#pick(['off', 'exact', 'exact', 'early'] as const);
    const ejection = {
      consecutive5xx: service.consecutive5xx,
      consecutiveGateway: service.gateway,
      baseMs: BASE_MS,
      maxMs: MAX_MS,
    };
    const { name, queueMax, timeout: queueTimeoutMs, hold: abortHoldMs } = service;
    const classes = service.classes.map((name, at) => ({ name, maxWaitMs: maxWaits[at] ?? 0 }));
    const priority = classes.length === 0 ? {} : { priority: { header: 'x-class', classes, usual: service.usual } };
    const more = {
      ...(isFair && {
        fair: {
          header: 'x-tenant',
          waitingMax: fair.waitingMax,
          slotsMax: fair.slotsMax,
          weights: Object.entries(fair.weights).map(([name, weight]) => ({ name, weight })),
        },
      }),
      deadline: { off: 0, exact: 1, early: 2 }[service.deadlines],
      ...(service.costly && { cost: { header: 'x-cost', usual: 1, most: LIMIT_MAX } }),
    };
    const settings = {
      queueMax,
      queueTimeoutMs,
      fullStatus: 429,
      abortHoldMs,
      ejection,
      ...priority,
      ...more,
      tellPlace: service.tellPlace,
      ...jobSettings(service),
    };
    const before = service.order.waiting.length;
    this.#timeouts = 0;
    this.#sendAcked({ service: { name, settings, pods: unique } });
    // Many are told a batch at a time, with the ticks that follow at once.
    for (let n = wasKnown ? 0 : before; n > REFUSED_AT_ONCE; n -= REFUSED_AT_ONCE)
      this.#host.pass(TICK, () => this.#settle());
    if (!wasKnown && service.order.waiting.length > queueMax)
      this.#fail(`${service.order.waiting.length} of ${queueMax} wait that came before the service was known`);
  }

  #change(service: Service): void {
    if (!service.known) return;
    const set = this.#chance(0.7) ? [this.#randomPod()] : [];
    const going = this.#chance(0.5) ? this.#pick([...service.pods.keys()]) : undefined;
    const remove = going === undefined || set.some(({ address }) => address === going) ? [] : [going];
    for (const pod of set) this.#setPod(service, pod);
    for (const address of remove) {
      const pod = service.pods.get(address);
      if (pod !== undefined) this.#drop(pod);
    }
    this.#happen('pods were sent');
    this.#sendAcked({ podsDelta: { name: service.name, set, remove } });
  }

  #removeService(service: Service): void {
    if (!service.known) return;
    this.#happen('a service was removed');
    const before = this.#host.replies.length;
    for (const pod of service.pods.values()) this.#drop(pod);
    service.known = false;
    service.tellPlace = false;
    service.classes = [];
    service.order.set(PLAIN);
    service.deadlines = 'off';
    service.mayBeFair = false;
    this.#host.send({ removeService: { name: service.name } });
    const refused = this.#host.replies.splice(before);
    if (refused.some(({ details }) => details !== 'sluice_service_removed')) this.#fail('an odd answer');
    const { waiting } = service.order;
    if (refused.length !== waiting.length) this.#fail(`${refused.length} of ${waiting.length} answered`);
    for (const request of [...waiting]) {
      service.order.leave(request);
      this.#host.done(request.context);
    }
  }

  #reconnect(): void {
    this.#happen('the stream broke');
    this.#host.breakStream();
    this.#connect();
  }

  #connect(): void {
    this.#pass(5);
    this.#host.arriveAtSelf();
    for (let i = 0; i < 500 && !this.#host.isStreamOpen; i++) this.#pass(10);
    if (!this.#host.isStreamOpen) this.#fail('no stream');
    this.#welcomedAt = this.#host.time;
    this.#host.send({ welcome: { heartbeatMs: 300_000, reportMs: 500, deadAfterMs: 3_000_000 } });
    this.#host.sent = [];
  }

  #pass(ms: number): void {
    this.#settle();
    this.#host.pass(ms, () => this.#settle());
    this.#settle();
  }

  // ---- What has to follow ----

  /** Takes what the filter has decided, and holds it against the model. */
  #settle(): void {
    this.#expireKept();
    // In a tick those that waited too long are answered before others go on.
    for (const { context, details } of this.#host.replies.splice(0)) {
      if (details === 'sluice_queue_full') this.#refusedLater(context);
      else if (details === 'sluice_pod_removed') this.#waitedInVain(context);
      else this.#timedOut(context, details);
    }
    for (const context of this.#host.resumed.splice(0)) {
      if (this.#goesOnAgain(context)) continue;
      this.#beginArriving();
      this.#goesFirst(
        this.#services.flatMap(({ order }) => order.waiting).find((request) => request.context === context),
      );
    }
    this.#beginArriving();
    // Or it is as far on as others, that did not go on.
    if (this.#arriving !== undefined) this.#goesFirst(this.#arriving);
    this.#arriving = undefined;
  }

  /** A request that goes on in the callback in which it came, if its turn has come. */
  #beginArriving(): void {
    const request = this.#arriving;
    if (request === undefined) return;
    const { costly, order } = request.service;
    if (!costly && order.next(this.#host.time) !== request) return;
    this.#arriving = undefined;
    this.#goesFirst(request);
  }

  /** One of those that wait goes on: it has to be its turn. */
  #goesFirst(request: Request | undefined): void {
    if (request === undefined) this.#fail('somebody goes on who does not wait');
    const { service } = request;
    const { order } = service;
    if (!service.costly && !order.isNext(request, this.#host.time))
      this.#fail(`${request.context} goes on out of turn`);
    const place = order.waiting.indexOf(request);
    order.leave(request);
    this.#happen('from the queue');
    if (place > 0) this.#happen(request.tenant === undefined ? 'before others' : 'by its turn');
    if (request.class > 0 && order.waiting.some((other) => other.class < request.class))
      this.#happen('waited long enough');
    if (request.cost > 1) this.#happen('several slots');
    this.#begin(request);
  }

  /** Whether it is the context of a try that has waited for a slot. */
  #goesOnAgain(context: number): boolean {
    const all = this.#services.flatMap(({ working }) => [...working]);
    const request = all.find(({ tried, claim }) => claim !== undefined && tried === context);
    const pod = request?.claim;
    if (request === undefined || pod === undefined) return false;
    this.#expireKept();
    if (pod.held.size >= mostTries(pod)) this.#fail('a further try goes on to a pod that is full');
    if (!request.isConnected) this.#fail('a further try goes on that has no connection');
    request.claim = undefined;
    pod.claims.delete(request);
    this.#arriveAt(request, pod);
    this.#happen('a try went on');
    return true;
  }

  #arriveAt(request: Request, pod: Pod): void {
    pod.held.add(request);
    request.pod = pod;
  }

  #unclaim(request: Request): void {
    const pod = request.claim;
    if (pod === undefined) return;
    request.claim = undefined;
    pod.claims.delete(request);
    this.#forgetIfIdle(pod);
  }

  /** The pod of a further try has had no slots for as long as it may wait for some. */
  #waitedInVain(context: number): void {
    const all = this.#services.flatMap(({ working }) => [...working]);
    const request = all.find(({ tried, claim }) => claim !== undefined && tried === context);
    if (request?.claim?.emptySince === undefined) this.#fail('a try ends whose pod has slots');
    const waited = this.#host.time - request.claimedAt;
    if (waited < CLAIM_WAIT) this.#fail(`a try has waited for ${waited} ms in vain`);
    this.#happen('a try waited in vain');
    this.#unclaim(request);
    this.#host.done(request.tried);
    this.#releaseAnswered(request);
    this.#host.answerLocally(request.context, 503, CONNECTED);
    this.#host.done(request.context);
  }

  #timedOut(context: number, details: string): void {
    const service = this.#services.find(({ order }) => order.waiting.some((request) => request.context === context));
    const request = service?.order.waiting.find((one) => one.context === context);
    if (service === undefined || request === undefined) this.#fail(`${context} is answered and does not wait`);
    service.order.leave(request);
    this.#timeouts += 1;
    this.#host.done(context);
    if (details === 'sluice_deadline') {
      this.#happen('its deadline came');
      const isEarly = service.deadlines === 'early' || service.wasEarly;
      if (!isEarly && request.due > this.#host.time) this.#fail(`answered at ${this.#host.time}, due ${request.due}`);
      return;
    }
    if (service.order.waiting.some(({ came }) => came < request.came)) this.#fail('not the oldest timed out');
    const waited = this.#host.time - request.came;
    const timeout = service.known ? service.timeout : UNKNOWN_WAIT;
    if (timeout === 0 || waited < timeout) this.#fail(`timed out after ${waited} of ${timeout} ms`);
    if (details !== (service.known ? 'sluice_queue_timeout' : 'sluice_no_state')) this.#fail(`odd details ${details}`);
    this.#happen('timed out');
  }

  /** It came before its service was known, and is the newest of more than may wait. */
  #refusedLater(context: number): void {
    const service = this.#services.find(({ order }) => order.waiting.at(-1)?.context === context);
    if (service === undefined) this.#fail('not the newest is refused');
    const slots = this.#freePods(service).map((pod) => {
      const inUse = used(pod) + this.#passing(pod);
      const free = (pod.trying ? Math.min(1, pod.limit) : pod.limit) - inUse;
      return free - Math.min(pod.claims.size, pod.limit - inUse);
    });
    const free = slots.reduce((sum, one) => sum + one, 0);
    const { waiting } = service.order;
    const [request] = waiting.slice(-1);
    // Those that are told with a later tick were out before others timed out.
    if (request === undefined || waiting.length + this.#timeouts - free <= service.queueMax)
      this.#fail(`refused as one of ${waiting.length} of ${service.queueMax} with ${free} free slots`);
    service.order.leave(request);
    this.#happen('refused once known');
    this.#host.done(context);
  }

  /** It has a pod now: one that may have it. */
  #begin(request: Request): void {
    const { service } = request;
    const headers = this.#host.headers.get(request.context) ?? {};
    const address = headers['x-sluice-pod'] ?? '';
    const pod = service.pods.get(address);
    const free = this.#freePods(service);
    if (pod === undefined || !free.includes(pod)) this.#fail(`it goes to ${address}, which has no free slot`);
    // The one request that tries a pod may be a large one.
    const slots = pod.trying && used(pod) > 0 ? Math.min(1, pod.limit) : pod.limit;
    const inUse = used(pod) + this.#passing(pod);
    if (inUse + request.cost > slots) this.#fail(`${inUse} and ${request.cost} are more than ${slots} at ${address}`);
    if (inUse > used(pod)) this.#happen('a slot beside those of another service');
    const fewest = Math.min(...free.map(used));
    if (!service.costly && used(pod) > fewest)
      this.#fail(`it goes to a pod with ${used(pod)} where another has ${fewest}`);
    if (!service.order.mayStart(request) && !service.costly) this.#fail('its tenant has its slots');
    service.order.begin(request);
    pod.held.add(request);
    request.pod = pod;
    service.working.add(request);
    const { context, goesOn } = this.#host.try(request.context, address);
    if (!goesOn) this.#fail('the first try waits');
    request.tried = context;
    request.token = headers['sluice-job-token'];
    if ((request.token === undefined) !== (service.jobMs === 0)) this.#fail(`a token ${request.token}`);
    if (Object.keys(headers).some((name) => name.startsWith('x-sluice'))) this.#fail('the pod sees our headers');
  }

  #freePods(service: Service): Pod[] {
    this.#expireKept();
    return [...service.pods.values()].filter((pod) => {
      if (pod.removed || pod.unhealthy || pod.ejectedUntil !== undefined) return false;
      const inUse = used(pod) + this.#passing(pod);
      const free = (pod.trying ? Math.min(1, pod.limit) : pod.limit) - inUse;
      return free > 0 && free > Math.min(pod.claims.size, pod.limit - inUse);
    });
  }

  /** The slots that other services have at the address of a pod, and that have lost it. */
  #passing(pod: Pod): number {
    const others = this.#services.flatMap(({ pods }) => pods.get(pod.address) ?? []);
    return others.reduce((sum, other) => sum + (other !== pod && mostTries(other) === 0 ? used(other) : 0), 0);
  }

  /** Slots that were kept long enough. The filter frees them, and lets pods return, with the tick that follows. */
  #expireKept(): void {
    for (const { pods, keptAway, jobs } of this.#services) {
      for (const request of jobs) {
        if (!this.#due(request.jobUntil)) continue;
        this.#happen('a job timed out');
        this.#releaseJob(request);
      }
      for (const request of keptAway.filter(({ keptUntil }) => this.#due(keptUntil))) {
        keptAway.splice(keptAway.indexOf(request), 1);
        request.service.order.end(request);
      }
      for (const pod of pods.values()) {
        for (const request of pod.held) {
          if (!this.#due(request.keptUntil)) continue;
          request.service.order.end(request);
          this.#free(pod, request);
        }
        if (!this.#due(pod.ejectedUntil)) continue;
        pod.ejectedUntil = undefined;
        pod.trying = true;
        pod.returnedAt = this.#host.lastTick;
      }
    }
  }

  #due(at: number | undefined): boolean {
    return at !== undefined && at <= this.#host.lastTick;
  }

  #check(): void {
    this.#settle();
    // What a failure leaves goes on with a tick that comes at once. Other things may happen before it.
    const ticksAtOnce = this.#host.tickAt <= this.#host.time + TICK;
    if (this.#somebodyCouldGo() && !ticksAtOnce) this.#fail('somebody waits beside a free slot');
    for (const { order, timeout, known, changedAt } of this.#services) {
      const [first] = order.waiting;
      const waited = first === undefined ? 0 : this.#host.time - first.came;
      if (order.waiting.some(({ due }) => this.#host.time > due + 2 * TICK)) this.#fail('waits beyond its deadline');
      // Where `queue.timeout` has just become shorter, the next tick answers them.
      const isLate = waited > timeout + 2 * TICK && this.#host.time > changedAt + 2 * TICK;
      if (known && timeout > 0 && isLate) this.#fail(`waits for ${waited} of ${timeout} ms`);
    }
    for (const { working } of this.#services)
      for (const { claim, claimedAt, isConnected } of working) {
        const mayGoOn = claim !== undefined && isConnected && claim.held.size + this.#passing(claim) < mostTries(claim);
        if (mayGoOn && !ticksAtOnce) this.#fail('a further try with a connection waits beside a free slot');
        const since = Math.max(claimedAt, this.#welcomedAt, claim?.emptySince ?? Number.POSITIVE_INFINITY);
        if (this.#host.time > since + CLAIM_WAIT + 3 * TICK) this.#fail('a try waits for a pod without slots');
      }
  }

  #somebodyCouldGo(): boolean {
    return this.#services.some(
      (service) =>
        !service.costly && service.order.next(this.#host.time) !== undefined && this.#freePods(service).length > 0,
    );
  }

  // ---- The model's own pods ----

  #randomPod() {
    const unhealthy = this.#chance(0.1);
    return { address: `10.0.0.${Math.floor(this.#random() * 6)}:80`, limit: Math.floor(this.#random() * 4), unhealthy };
  }

  #setPod(service: Service, { address, limit, unhealthy }: sluice.queue.v1.IPod): void {
    const pod = service.pods.get(address ?? '') ?? newPod(address ?? '');
    pod.limit = limit ?? 0;
    pod.unhealthy = unhealthy ?? false;
    pod.removed = false;
    pod.emptySince = pod.limit > 0 ? undefined : (pod.emptySince ?? this.#host.time);
    service.pods.set(pod.address, pod);
  }

  /** A pod that Envoy has, and of which Sluice has not told, or not any more. */
  #stranger(service: Service): Pod {
    const { address } = this.#randomPod();
    const known = service.pods.get(address);
    if (known !== undefined) return known;
    const pod = { ...newPod(address), removed: true, emptySince: this.#host.time };
    service.pods.set(address, pod);
    this.#happen('a try at a pod that nobody told of');
    return pod;
  }

  #drop(pod: Pod): void {
    pod.removed = true;
    pod.emptySince ??= this.#host.time;
    pod.ejectedUntil = undefined;
    pod.trying = false;
    this.#forgetIfIdle(pod);
  }

  #forgetIfIdle(pod: Pod): void {
    if (!pod.removed || pod.held.size + pod.claims.size > 0) return;
    for (const { pods } of this.#services) if (pods.get(pod.address) === pod) pods.delete(pod.address);
  }

  #free(pod: Pod, request: Request): void {
    pod.held.delete(request);
    this.#forgetIfIdle(pod);
  }

  /** Its answer is over. Where the router rests before a further try of some, its slot is free with the next tick. */
  #releaseAnswered(request: Request): void {
    const { service, pod } = request;
    if (!this.#services.some(({ working }) => [...working].some((one) => one !== request && one.tried === 0))) {
      this.#release(request);
      return;
    }
    this.#happen('a slot was kept for a further try');
    service.working.delete(request);
    if (pod === undefined) service.keptAway.push(request);
    request.keptUntil = this.#host.time + TICK;
  }

  #release(request: Request): void {
    request.service.working.delete(request);
    request.service.order.end(request);
    if (request.pod !== undefined) this.#free(request.pod, request);
  }

  #keep(request: Request): void {
    this.#unclaim(request);
    request.service.working.delete(request);
    if (request.service.hold === 0) {
      request.service.order.end(request);
      if (request.pod !== undefined) this.#free(request.pod, request);
      return;
    }
    if (request.pod === undefined) request.service.keptAway.push(request);
    request.keptUntil = this.#host.time + request.service.hold;
  }

  #judge(service: Service, pod: Pod | undefined, status: number): void {
    if (pod === undefined) return;
    const gateway = status >= 502 && status <= 504;
    if (!gateway) pod.gatewayRow = 0;
    else if (service.gateway > 0) {
      pod.gatewayRow += 1;
      if (pod.trying || pod.gatewayRow >= service.gateway) {
        this.#eject(service, pod);
        return;
      }
    }
    if (status < 500 || service.consecutive5xx === 0) {
      pod.row5xx = 0;
      if (!gateway || service.gateway === 0) pod.trying = false;
      return;
    }
    pod.row5xx += 1;
    if (pod.trying || pod.row5xx >= service.consecutive5xx) this.#eject(service, pod);
  }

  #eject(service: Service, pod: Pod): void {
    if (pod.removed || pod.ejectedUntil !== undefined) return;
    if (this.#host.time - pod.returnedAt > MAX_MS) pod.ejections = 0;
    pod.ejections += 1;
    pod.ejectedUntil = this.#host.time + Math.min(MAX_MS, BASE_MS * pod.ejections);
    pod.trying = false;
    pod.gatewayRow = 0;
    pod.row5xx = 0;
    this.#happen('ejected');
    if (!service.known) this.#fail('a pod of an unknown service');
  }

  // ---- The end ----

  /** Everything ends: all slots are back, and the counts add up. */
  #drain(): void {
    for (
      let i = 0;
      i < 10_000 &&
      this.#services.some(({ working, order, jobs }) => working.size + order.waiting.length + jobs.size > 0);
      i++
    ) {
      for (const service of this.#services) {
        // One whose pods were all removed has nobody that could answer it.
        if (atPods(service).length > 0) this.#end(service);
        else this.#leaveWorking(service);
        this.#settle();
        this.#leaveWaiting(service);
        this.#settle();
      }
      this.#pass(TICK);
    }
    this.#host.send({ heartbeat: {} });
    this.#pass(1000);
    const reports = new Map<string, sluice.queue.v1.IServiceReport>();
    for (const { report } of this.#host.sent) {
      for (const service of report?.services ?? []) reports.set(service.name ?? '', service);
    }
    for (const service of this.#services.filter(({ known }) => known)) {
      const report = reports.get(service.name);
      if (report === undefined) continue;
      if (report.inUse || report.waiting) this.#fail(`${report.inUse} in use, ${report.waiting} waiting at the end`);
      const counts = Object.fromEntries(
        Object.entries({ ...report.counts }).map(([key, value]) => [key, Number(value)]),
      );
      const sum = (...names: string[]) => names.reduce((total, name) => total + (counts[name] ?? 0), 0);
      const ended = sum('answered', 'failed', 'abandonedWorking', 'workTimeouts');
      if (sum('started') !== ended) this.#fail(`${sum('started')} started, ${ended} ended`);
      const left = sum('started', 'refused', 'waitTimeouts', 'abandonedWaiting', 'unserved', 'deadlines');
      if (sum('arrived') !== left) this.#fail(`${sum('arrived')} arrived, ${left} left`);
    }
  }

  // ---- Helpers ----

  /** Sends a message, and sees that the filter says it has it. */
  #sendAcked(message: Omit<sluice.queue.v1.IControlMessage, 'sequence'>): void {
    this.#host.sent = [];
    const sequence = this.#host.send(message);
    const acked = this.#host.sent.some(({ ack }) => Number(ack?.sequence) === sequence);
    if (!acked) this.#fail('a message was not acknowledged');
    const rejected = this.#host.sent.find((sent) => sent.rejected)?.rejected;
    if (rejected) this.#fail(`refused: ${rejected.reason}`);
    this.#settle();
  }

  #pickStatus(): number {
    return this.#pick([200, 200, 200, 200, 204, 404, 500, 502, 503, 503, 504]) ?? 200;
  }

  #pick<T>(list: readonly T[]): T {
    // Undefined for an empty list, which callers look for.
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #happen(what: string): void {
    this.#happened[what] = (this.#happened[what] ?? 0) + 1;
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}, step ${this.#step}: ${what}`);
  }
}

function newService(name: string, costly: boolean): Service {
  return {
    name,
    known: false,
    queueMax: 0,
    timeout: 0,
    hold: 0,
    gateway: 0,
    consecutive5xx: 0,
    tellPlace: false,
    jobMs: 0,
    jobs: new Set(),
    classes: [],
    usual: 0,
    order: new OrderModel(),
    costly,
    mayBeFair: true,
    wasEarly: false,
    deadlines: 'off',
    pods: new Map(),
    keptAway: [],
    working: new Set(),
    changedAt: 0,
  };
}

function jobSettings({ jobMs }: Service) {
  return jobMs === 0 ? {} : { jobStatus: 202, jobTimeoutMs: jobMs, jobHeader: 'sluice-job' };
}

/** Who came first goes first. */
function isPlain({ classes, order, costly }: Service): boolean {
  const isOneClass = classes.length === 0 && order.waiting.every((request) => request.class === 0);
  return isOneClass && order.rules.fair === undefined && !costly;
}

/** The slots of a pod that its requests take. */
function used({ held }: Pod): number {
  return [...held].reduce((sum, { cost }) => sum + cost, 0);
}

function costOf(written: string | undefined): number {
  const cost = Number(written);
  return Number.isInteger(cost) && cost > 0 ? cost : 1;
}

/** Headers that are there. */
function written(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** When a request has to be served, in milliseconds from now, and the headers that say so. */
const DUES: readonly { readonly ms: number; headers(now: number): Record<string, string> }[] = [
  { ms: 20, headers: () => ({ 'grpc-timeout': '20m' }) },
  { ms: 0, headers: () => ({ 'grpc-timeout': '0n' }) },
  { ms: 1000, headers: () => ({ 'grpc-timeout': '1S', 'x-request-deadline': '2s' }) },
  { ms: 15, headers: () => ({ 'x-request-deadline': '15ms', 'grpc-timeout': '1S' }) },
  { ms: 30, headers: () => ({ 'x-request-deadline': '0.03s' }) },
  { ms: Number.POSITIVE_INFINITY, headers: () => ({ 'x-request-deadline': 'soon', 'grpc-timeout': '7' }) },
];

/** The class of a request: its route's, else its header's, else the usual one. */
function classOf({ classes, usual }: Service, ...names: readonly (string | undefined)[]): number {
  const places = names.map((name) => (name === undefined ? -1 : classes.indexOf(name)));
  return classes.length === 0 ? 0 : (places.find((place) => place >= 0) ?? usual);
}

function newPod(address: string): Pod {
  return {
    address,
    limit: 0,
    unhealthy: false,
    removed: false,
    held: new Set(),
    claims: new Set(),
    gatewayRow: 0,
    row5xx: 0,
    ejectedUntil: undefined,
    ejections: 0,
    returnedAt: 0,
    trying: false,
    emptySince: undefined,
  };
}

/** The requests of a service that are at a pod, and not on their way there. */
function atPods({ working }: Service): readonly Request[] {
  return [...working].filter(({ pod, tried }) => pod !== undefined && tried !== 0);
}

/** How many a pod may have with one that is tried again there. */
function mostTries({ limit, removed }: Pod): number {
  return removed ? 0 : limit;
}
