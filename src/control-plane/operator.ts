import type { OperatorOrder, Orders, QueueListing } from '../admin/orders.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { formatAddress } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { ServiceName } from '../model/service.ts';
import type { ToldOrder } from '../slots/link-messages.ts';
import type { Sharing } from '../slots/sharing.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { OverrideStore } from './override-store.ts';
import type { WaitingAt, WaitingRequests } from './waiting-requests.ts';

/** What orders are carried out with. */
export interface OperatorOptions {
  readonly model: () => Model | undefined;
  readonly store: OverrideStore;
  /** Tells other Sluices what was ordered here. Where it holds, as a sentence; undefined: there is no other. */
  readonly tellOthers: (orders: readonly ToldOrder[]) => string | undefined;
  readonly waiting: Pick<WaitingRequests, 'list' | 'cancel'>;
  /** Takes the slots of an Envoy that has ended for good. */
  readonly sharing: Pick<Sharing, 'forget'>;
  /** Tells it in the log and among the events. */
  readonly telemetry: Pick<Telemetry, 'tell'>;
  /** Whether Envoys work without the queue filter: then there is no queue to ask, and nobody to stop. */
  readonly isFilterOff: boolean;
}

/** A request is looked for among so many. */
const MOST_LOOKED_AT = 5000;

const WITHOUT_FILTER = 'Sluice runs with --filter off: there is no queue to look at or to stop.';

/** Carries out what operators order. */
export class Operator implements Orders {
  readonly #options: OperatorOptions;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  async give(order: OperatorOrder, by: string): Promise<Result<string, string>> {
    if (this.#options.isFilterOff) return fail(WITHOUT_FILTER);
    switch (order.kind) {
      case 'pause':
      case 'resume':
        return this.#pauseOrResume(order.kind, order.service, by);
      case 'drain':
      case 'undrain':
        return this.#drainOrUndrain(order.kind, order.pod, by);
      case 'forget':
        return this.#forget(order.envoy, by);
      case 'cancel':
        return this.#cancel(order.service, order.request, by);
    }
  }

  async queue(service: string, most: number): Promise<Result<QueueListing, string>> {
    if (this.#options.isFilterOff) return fail(WITHOUT_FILTER);
    const name = this.#find(service);
    if (!name.ok) return name;
    const { waiting, requests, silent } = await this.#options.waiting.list(name.value, most);
    if (silent > 0 && requests.length === 0) return fail('The queue filter did not answer in time.');
    const listed = requests.map(({ member, id: _, ...request }, at) => ({
      ...request,
      id: idOf(requests[at], requests),
    }));
    return ok({ service, waiting, requests: listed });
  }

  #pauseOrResume(kind: 'pause' | 'resume', service: string, by: string): Result<string, string> {
    const { store, telemetry } = this.#options;
    const [isPause, paused] = [kind === 'pause', store.current().paused];
    // What is no longer there can still be resumed.
    const known = [...paused.keys()].find((name) => name === service);
    const name = known === undefined ? this.#find(service) : ok(known);
    if (!name.ok) return name;
    const done = isPause ? store.pause(name.value, by) : store.resume(name.value, by);
    if (done === undefined) {
      const giver = paused.get(name.value)?.by;
      return ok(isPause ? `${service} is paused already, by ${giver}.` : `${service} was not paused.`);
    }
    const what = isPause ? 'paused' : 'resumed';
    telemetry.tell({ kind: 'command', service, message: `${what} by ${by}` });
    const where = this.#tell([done]);
    return ok(
      isPause
        ? `${service} is paused: requests wait, and those at its pods finish.${where} Take it back with: sluice resume ${service}`
        : `${service} is resumed.${where}`,
    );
  }

  #drainOrUndrain(kind: 'drain' | 'undrain', pod: string, by: string): Result<string, string> {
    const { store, telemetry } = this.#options;
    const isDrain = kind === 'drain';
    const named = this.#addressesOf(pod);
    const candidates = isDrain ? this.#addresses() : [...store.current().drained.keys()];
    const addresses = candidates.filter((address) => address === pod || ipOf(address) === pod || named.has(address));
    if (addresses.length === 0)
      return isDrain
        ? fail(`There is no pod ${pod}. sluice status SERVICE lists those of a service.`)
        : ok(`${pod} was not drained.`);
    const done = addresses.flatMap(
      (address) => (isDrain ? store.drain(address, by) : store.undrain(address, by)) ?? [],
    );
    for (const { what } of done)
      telemetry.tell({
        kind: 'command',
        pod: what,
        message: `${isDrain ? 'drained' : 'gets requests again, ordered'} by ${by}`,
      });
    const names = addresses.join(', ');
    if (done.length === 0 && isDrain)
      return ok(`${names} is drained already, by ${store.current().drained.get(names)?.by ?? by}.`);
    const where = this.#tell(done);
    if (!isDrain) return ok(`${names} gets requests again.${where}`);
    return ok(
      `${names} gets no new request and finishes what it has.${where} Take it back with: sluice undrain ${pod}`,
    );
  }

  /** Other Sluices have told what was ordered there. */
  hear(orders: readonly ToldOrder[], from: string): void {
    for (const { kind, what, isTakenBack, by } of this.#options.store.take(orders)) {
      const about = kind === 'paused' ? { service: what } : { pod: what };
      const [given, back] = kind === 'paused' ? ['paused', 'resumed'] : ['drained', 'gets requests again, ordered'];
      this.#options.telemetry.tell({
        kind: 'command',
        ...about,
        message: `${isTakenBack ? back : given} by ${by}, as Sluice ${from} tells`,
      });
    }
  }

  #tell(orders: readonly ToldOrder[]): string {
    const where = orders.length === 0 ? undefined : this.#options.tellOthers(orders);
    return where === undefined ? '' : ` ${where}`;
  }

  #forget(envoy: string, by: string): Result<string, string> {
    const { sharing, telemetry } = this.#options;
    switch (sharing.forget(envoy)) {
      case 'connected':
        return fail(`Envoy ${envoy} is connected: it has not ended.`);
      case 'not here':
        return fail(
          'Another Sluice coordinates the slots, and knows who has ended: tell that one. sluice status names it.',
        );
      case 'unknown':
        return fail(`No Envoy ${envoy} is away. sluice status names those that are.`);
      case 'forgotten':
        telemetry.tell({
          kind: 'command',
          node: envoy,
          message: `forgotten by ${by}: it has ended, and its slots are free`,
        });
        return ok(
          `Envoy ${envoy} is forgotten, and its slots are free. If it still runs, its pods get more than their limit.`,
        );
    }
  }

  async #cancel(service: string, wanted: string, by: string): Promise<Result<string, string>> {
    const { waiting, telemetry } = this.#options;
    const name = this.#find(service);
    if (!name.ok) return name;
    const { requests } = await waiting.list(name.value, MOST_LOOKED_AT);
    const found = requests.find((one) => idOf(one, requests) === wanted || one.requestId === wanted);
    if (found === undefined) return fail(`No request ${wanted} waits for ${service}. It may have got a slot already.`);
    waiting.cancel(name.value, found);
    const about = `${found.method} ${found.path} of ${found.client}`;
    telemetry.tell({ kind: 'command', service, message: `a waiting request cancelled by ${by}: ${about}` });
    return ok(`Cancelled: ${about}, answered with 503.`);
  }

  /** Errors: there is no service with a limit of that name. */
  #find(service: string): Result<ServiceName, string> {
    const found = this.#options.model()?.services.find((one) => one.service.name === service)?.service;
    if (found === undefined) return fail(`There is no service ${service}.`);
    return found.discipline.kind === 'limited' ? ok(found.name) : fail(`${service} has no limit, and so no queue.`);
  }

  /** Of the pod that Kubernetes calls so. */
  #addressesOf(name: string): ReadonlySet<string> {
    const pods = this.#options.model()?.services.flatMap((one) => one.pods) ?? [];
    return new Set(pods.filter((pod) => pod.name === name).map(formatAddress));
  }

  #addresses(): readonly string[] {
    return [...new Set(this.#options.model()?.services.flatMap(({ pods }) => pods.map(formatAddress)))];
  }
}

function ipOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

/** The number within its queue filter; where several filters have it, with that filter's epoch. */
function idOf(request: WaitingAt | undefined, all: readonly WaitingAt[]): string {
  if (request === undefined) return '';
  const { id, member } = request;
  const isOne = all.every((other) => other.member.epoch === member.epoch && other.member.node === member.node);
  return isOne ? String(id) : `${id}@${member.node}/${member.epoch}`;
}
