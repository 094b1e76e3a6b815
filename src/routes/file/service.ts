import type { Locator } from '../../model/locator.ts';
import { byAddress } from '../../model/pod.ts';
import {
  type Cost,
  type Discipline,
  type Idempotency,
  type Jobs,
  type PodTls,
  type Service,
  type ServiceName,
  type Slots,
  USUAL_SLACK,
} from '../../model/service.ts';
import { map } from './map.ts';
import { checkQueue, toOrder } from './queue.ts';
import { PENDING_MAX, QUEUE_MAX } from './queue-keys.ts';
import { Report } from './report.ts';
import { type service, serviceFields } from './service-keys.ts';
import { need, type ReadOf } from './shape.ts';
import { START } from './tree.ts';

/** A service of the file, read key by key. */
export type ReadService = ReadOf<typeof service>;

const FIRST_FREE = 'with a limit the next request always goes to the first free pod';

/** Reports keys that mean nothing together. */
export function checkService(read: ReadService, report: Report): void {
  const { limit, balance, max_requests: maxRequests, queue, protocol, tls } = read;
  if (tls !== undefined && protocol.value !== undefined && !isEncrypted(protocol.value)) {
    const fix = `remove it, or write protocol: ${protocol.value === 'h2c' ? 'h2' : 'https'}`;
    report.error(tls, { message: `means nothing with protocol ${protocol.value}`, fix });
  }
  const poll = read.async?.value?.poll;
  if (poll !== undefined && protocol.value !== undefined && isEncrypted(protocol.value)) {
    const fix = 'remove it: jobs end by the token alone, or by async.timeout';
    report.error(poll, {
      message: `means nothing with protocol ${protocol.value}: Sluice asks pods in the clear`,
      fix,
    });
  }
  const { ca, verify } = tls?.value ?? {};
  if (ca !== undefined && verify?.value === 'off') {
    report.error(ca, { message: 'is not looked at with verify: off', fix: 'remove one of the two' });
  }
  if (limit !== undefined) {
    const fix = 'remove it, or the limit';
    if (balance.written) report.error(balance, { message: `only without a limit: ${FIRST_FREE}`, fix });
    if (maxRequests.written) {
      const message = `only without a limit: ${FIRST_FREE}, and queue.max bounds how many wait`;
      report.error(maxRequests, { message, fix });
    }
  }
  if (queue.value !== undefined) checkQueue(queue.value, limit !== undefined, report);
  checkSlots(read, report);
}

/** Slots of a pod mean something where there is a limit. */
function checkSlots(read: ReadService, report: Report): void {
  const { limit, cost, static: pods, dns, scale, pod_limits: podLimits } = read;
  if (podLimits.written && (pods !== undefined || dns !== undefined)) {
    const message = 'only with kubernetes: other pods have no annotations';
    const own = pods === undefined ? '' : ', and write limits into the list: {address: 10.0.0.1:8080, limit: 4}';
    report.error(podLimits, { message, fix: `remove it${own}` });
  }
  if (limit !== undefined) return;
  const { down_after: downAfter } = scale.value ?? {};
  const fix = 'remove it, or set limit';
  if (cost !== undefined) report.error(cost, { message: 'only with a limit: without one there are no slots', fix });
  if (podLimits.written) {
    report.error(podLimits, { message: 'only with a limit: the Pods that say none need one', fix });
  }
  if (downAfter?.written) {
    const message = 'only with a limit: without one it is not known how many pods are needed';
    report.error(downAfter, { message, fix });
  }
  if (read.idempotency !== undefined) {
    report.error(read.idempotency, { message: 'only with a limit: without one there is no queue', fix });
  }
  if (read.async !== undefined) {
    report.error(read.async, { message: 'only with a limit: without one there are no slots to keep', fix });
  }
  if (pods?.value?.some((pod) => pod.limit !== undefined)) {
    const message = 'a pod has a limit of its own, and the service has none';
    report.error(pods, { message, fix: 'set limit for the others, or remove it there' });
  }
}

/** Where the pods are; undefined when that could not be read. */
export function toLocator({ kubernetes, dns, static: addresses }: ReadService): Locator | undefined {
  if (kubernetes?.value !== undefined) {
    const { namespace, service, port } = kubernetes.value;
    if (service.value === undefined || port.value === undefined) return undefined;
    const own = namespace?.value === undefined ? {} : { namespace: namespace.value };
    return { kind: 'kubernetes', ...own, service: service.value, port: { kind: 'service', port: port.value } };
  }
  if (dns?.value !== undefined) {
    const { host, port } = dns.value;
    return host.value === undefined || port.value === undefined
      ? undefined
      : { kind: 'dns', host: host.value, port: port.value };
  }
  return addresses?.value === undefined
    ? undefined
    : { kind: 'static', addresses: addresses.value.toSorted(byAddress) };
}

/** What a service is when the file says nothing: every default of the table of keys. */
export function unsaid(): ReadService {
  return need({
    path: '',
    at: START,
    written: false,
    value: map(serviceFields, { example: '' }).read({ kind: 'map', at: START, entries: [] }, '', new Report('')),
  });
}

type ReadProtocol = NonNullable<ReadService['protocol']['value']>;

function isEncrypted(protocol: ReadProtocol): boolean {
  return protocol === 'https' || protocol === 'h2';
}

/** The locator, where Pods may say their own limits if that is asked for. */
function withPodLimits(locator: Locator, { pod_limits: podLimits }: ReadService): Locator {
  return locator.kind === 'kubernetes' && need(podLimits) === 'on' ? { ...locator, podLimits: true } : locator;
}

function toPodTls({ tls }: ReadService, locator: Locator, fileOf: (name: string) => string): PodTls {
  const { ca, name, verify } = tls === undefined ? {} : need(tls);
  const host = locator.kind === 'dns' ? locator.host : undefined;
  const serverName = name === undefined ? host : need(name);
  const asked = serverName === undefined ? {} : { serverName };
  if (verify !== undefined && need(verify) === 'off') return { ...asked, authorities: { kind: 'any' }, names: [] };
  return {
    ...asked,
    authorities: ca === undefined ? { kind: 'system' } : { kind: 'file', path: fileOf(need(ca)) },
    names: serverName === undefined ? [] : [{ kind: 'dns', value: serverName }],
  };
}

/** A service whose keys have all been read without an error. `fileOf`: the absolute path of a file that it names. */
export function toService(
  name: ServiceName,
  locator: Locator,
  read: ReadService,
  fileOf: (name: string) => string = String,
): Service {
  const { health, outlier, protocol, timeout, scale } = read;
  const { down_after: downAfter } = need(scale);
  const { request, connect } = need(timeout);
  const { consecutive_5xx: consecutive5xx, eject } = need(outlier);
  const check = health === undefined ? undefined : need(health);
  return {
    name,
    locator: withPodLimits(locator, read),
    protocol: need(protocol) === 'h2c' || need(protocol) === 'h2' ? 'h2c' : 'http1',
    ...(isEncrypted(need(protocol)) ? { tls: toPodTls(read, locator, fileOf) } : {}),
    discipline: toDiscipline(read),
    ...(need(downAfter) === 0 ? {} : { scaleDownAfter: need(downAfter) }),
    timeout: { request: need(request), connect: need(connect) },
    ...(check === undefined ? {} : { health: { path: need(check.path), interval: need(check.interval) } }),
    outlier: { consecutive5xx: need(consecutive5xx), eject: need(eject) },
  };
}

function toCost({ header, default: usual }: NonNullable<NonNullable<ReadService['cost']>['value']>): Cost {
  return { header: need(header), usual: need(usual) };
}

function toJobs({ async: read }: ReadService): { readonly jobs?: Jobs } {
  if (read === undefined) return {};
  const { status, id, timeout, poll } = need(read);
  const asked = poll === undefined ? {} : { poll: need(poll) };
  return { jobs: { status: need(status), header: need(id), timeout: need(timeout), ...asked } };
}

function toIdempotency({ idempotency: read }: ReadService): { readonly idempotency?: Idempotency } {
  if (read === undefined) return {};
  const { header, on_duplicate: onDuplicate } = need(read);
  return { idempotency: { header: need(header), onDuplicate: need(onDuplicate) } };
}

function toDiscipline(read: ReadService): Discipline {
  const { limit, balance, max_requests: maxRequests, queue, cost } = read;
  const { max, timeout, full_status, place, wait_for_body: waitForBody, slack } = need(queue);
  const fullStatus = need(full_status);
  if (limit === undefined) {
    const queueMax = max === undefined ? PENDING_MAX : need(max);
    return { kind: 'balanced', balance: need(balance), maxRequests: need(maxRequests), queueMax, fullStatus };
  }
  const line = {
    max: max === undefined ? QUEUE_MAX : need(max),
    timeout: need(timeout),
    fullStatus,
    ...(need(place) === 'on' ? { tellPlace: true } : {}),
    ...(waitForBody === undefined ? {} : { waitForBody: need(waitForBody) }),
    ...(need(slack) === USUAL_SLACK ? {} : { slack: need(slack) }),
    ...toOrder(need(queue)),
  };
  // The limit's shape has checked that it is a whole number above 0: what the brand stands for.
  const slots = { limit: need(limit) as Slots, ...(cost === undefined ? {} : { cost: toCost(need(cost)) }) };
  return { kind: 'limited', ...slots, queue: line, ...toJobs(read), ...toIdempotency(read) };
}
