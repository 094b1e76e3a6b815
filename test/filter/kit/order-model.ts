/** A request, as the order of its queue sees it. */
export interface Ordered {
  readonly came: number;
  readonly class: number;
  readonly tenant: string | undefined;
}

/** What decides who goes next. */
export interface OrderRules {
  /** Of each class after how long its requests go as the highest; 0: never. */
  readonly maxWaits: readonly number[];
  /** Tenants take turns. */
  readonly fair?: {
    readonly weights: Readonly<Record<string, number>>;
    /** 0: any number. */
    readonly waitingMax: number;
    readonly slotsMax: number;
  };
}

/** No classes and no tenants. */
export const PLAIN: OrderRules = { maxWaits: [0] };

/** The requests of a tenant in a class. */
interface Flow<T> {
  readonly tenant: string;
  readonly class: number;
  readonly waiting: T[];
  /** How far on it is, and since when it stands there. */
  time: number;
  turn: number;
  stands: boolean;
}

/** The order of one queue, as simple as can be: it looks at all that wait each time. */
export class OrderModel<T extends Ordered> {
  rules: OrderRules = PLAIN;
  /** In the order in which they came. */
  readonly waiting: T[] = [];
  readonly #flows: Flow<T>[] = [];
  readonly #flowOf = new Map<T, Flow<T>>();
  readonly #inUse = new Map<string, number>();
  readonly #virtual = new Map<number, number>();
  #turns = 0;
  /** All tenants, in the order in which they were met. */
  readonly #tenants: string[] = [];

  /** From now on. Those that wait keep their places. */
  set(rules: OrderRules): void {
    const wasFair = this.rules.fair !== undefined;
    // First it is as if there were none, then the new ones.
    this.rules = { maxWaits: rules.maxWaits };
    if (wasFair) for (const tenant of this.#tenants.toReversed()) this.#placeAll(tenant);
    this.rules = rules;
    if (rules.fair === undefined) return;
    for (const tenant of this.#tenants.toReversed()) this.#placeAll(tenant);
    for (const tenant of Object.keys(rules.fair.weights)) this.meet(tenant);
  }

  /** A tenant is known from its first request on, served or not. */
  meet(tenant: string): void {
    if (!this.#tenants.includes(tenant)) this.#tenants.push(tenant);
  }

  join(one: T): void {
    this.waiting.push(one);
    if (one.tenant === undefined) return;
    const flow = this.#flow(one.tenant, one.class);
    this.#flowOf.set(one, flow);
    flow.waiting.push(one);
    if (flow.waiting.length === 1) this.#place(flow);
  }

  leave(one: T): void {
    this.waiting.splice(this.waiting.indexOf(one), 1);
    const flow = this.#flowOf.get(one);
    if (flow === undefined) return;
    this.#flowOf.delete(one);
    const place = flow.waiting.indexOf(one);
    flow.waiting.splice(place, 1);
    if (place === 0) this.#place(flow);
  }

  /** It has a slot. */
  begin({ tenant, class: own }: T): void {
    if (tenant === undefined) return;
    const flow = this.#flow(tenant, own);
    if (!flow.stands) this.#catchUp(flow);
    const { time } = flow;
    flow.time += 1 / (this.rules.fair?.weights[tenant] ?? 1);
    this.#inUse.set(tenant, this.inUse(tenant) + 1);
    if ((this.rules.fair?.slotsMax ?? 0) > 0) this.#placeAll(tenant);
    else this.#place(flow);
    const first = this.#first(own);
    const now = first !== undefined && first.time < time ? first.time : time;
    if (now > (this.#virtual.get(own) ?? 0)) this.#virtual.set(own, now);
  }

  /** It has none any more. */
  end({ tenant }: T): void {
    if (tenant === undefined) return;
    this.#inUse.set(tenant, this.inUse(tenant) - 1);
    if ((this.rules.fair?.slotsMax ?? 0) > 0) this.#placeAll(tenant);
  }

  inUse(tenant: string): number {
    return this.#inUse.get(tenant) ?? 0;
  }

  /** Whether one more of this tenant may wait. */
  mayWait(tenant: string | undefined): boolean {
    const most = this.rules.fair?.waitingMax ?? 0;
    return most === 0 || tenant === undefined || this.waiting.filter((one) => one.tenant === tenant).length < most;
  }

  /** Whether those of this tenant that wait may. */
  mayStay(tenant: string | undefined): boolean {
    const most = this.rules.fair?.waitingMax ?? 0;
    return most === 0 || tenant === undefined || this.waiting.filter((one) => one.tenant === tenant).length <= most;
  }

  /** Whether the tenant of a request may have one more slot. */
  mayStart({ tenant }: Pick<T, 'tenant'>): boolean {
    const most = this.rules.fair?.slotsMax ?? 0;
    return most === 0 || tenant === undefined || this.inUse(tenant) < most;
  }

  /** Who goes next; undefined: nobody may. */
  next(now: number): T | undefined {
    const { maxWaits, fair } = this.rules;
    let best: T | undefined;
    let aged: T | undefined;
    for (let own = 0; own < 8; own++) {
      const [oldest] = this.waiting.filter((one) => one.class === own);
      if (oldest === undefined) continue;
      const isPlain = fair === undefined || !this.#flowOf.has(oldest);
      best ??= isPlain ? oldest : this.#first(own)?.waiting[0];
      const most = maxWaits[own] ?? 0;
      if (most === 0 || now - oldest.came < most || !this.mayStart(oldest)) continue;
      if (aged === undefined || oldest.came < aged.came) aged = oldest;
    }
    if (aged === undefined || best === undefined) return best ?? aged;
    return best.class === 0 && best.came <= aged.came ? best : aged;
  }

  /** Whether a request may be the next one: of tenants that are equally far on, any. */
  isNext(one: T, now: number): boolean {
    const next = this.next(now);
    if (next === undefined || next === one) return next === one;
    const [flow, other] = [this.#flowOf.get(one), this.#flowOf.get(next)];
    if (flow === undefined || other === undefined || flow.class !== other.class) return false;
    return flow.stands && flow.waiting[0] === one && Math.abs(flow.time - other.time) < 1e-9;
  }

  #first(own: number): Flow<T> | undefined {
    const standing = this.#flows.filter((flow) => flow.class === own && flow.stands);
    return standing.sort((a, b) => a.time - b.time || a.turn - b.turn)[0];
  }

  #flow(tenant: string, own: number): Flow<T> {
    let flow = this.#flows.find((one) => one.tenant === tenant && one.class === own);
    if (flow === undefined) {
      flow = { tenant, class: own, waiting: [], time: 0, turn: 0, stands: false };
      this.#flows.push(flow);
    }
    return flow;
  }

  #placeAll(tenant: string): void {
    // The newest first, as the filter has them.
    for (const flow of this.#flows.filter((one) => one.tenant === tenant).reverse()) this.#place(flow);
  }

  #place(flow: Flow<T>): void {
    const stood = flow.stands;
    flow.stands = false;
    const [first] = flow.waiting;
    if (first === undefined || !this.mayStart(first)) return;
    if (!stood) this.#catchUp(flow);
    flow.turn = ++this.#turns;
    flow.stands = true;
  }

  #catchUp(flow: Flow<T>): void {
    flow.time = Math.max(flow.time, this.#virtual.get(flow.class) ?? 0);
  }
}
