import { createHash } from 'node:crypto';
import { FILE_LISTENER } from '../../model/listener.ts';
import type { Locator } from '../../model/locator.ts';
import type { Route } from '../../model/route.ts';
import type { Routing } from '../../model/routing.ts';
import type { Service, ServiceName } from '../../model/service.ts';
import { reportHidden } from './hidden.ts';
import type { lbagent } from './keys.ts';
import type { Report } from './report.ts';
import { toService, unsaid } from './service.ts';
import { type Got, need, type ReadOf } from './shape.ts';

/** A file of lbagent's form, read key by key. */
export type ReadLbagentFile = ReadOf<typeof lbagent>;

type ReadLbagentRoute = NonNullable<ReadLbagentFile['routes']['value']>[number] extends Got<infer T> ? T : never;

/** Reports what no key shows by itself: a path twice, and different limits for the same pods. */
export function checkLbagent({ routes }: ReadLbagentFile, report: Report): void {
  const limits = new Map<string, Got<number>>();
  for (const { value: route } of routes.value ?? []) {
    const locator = route === undefined ? undefined : toLocator(route);
    if (route?.limit.value === undefined || locator === undefined) continue;
    const name = lbagentServiceName(locator);
    const first = limits.get(name);
    if (first === undefined) {
      limits.set(name, route.limit);
    } else if (first.value !== route.limit.value) {
      const message = `limit ${route.limit.value} for the pods that have limit ${first.value} on line ${first.at.line}: routes to the same service and port share one limit`;
      report.error(route.limit, { message, fix: 'write the same limit on both lines' });
    }
  }
  const readable = (routes.value ?? []).flatMap((got) => {
    const uri = got.value?.uri;
    return uri?.value === undefined ? [] : [{ match: exactly(uri.value), got, place: uri }];
  });
  reportHidden(readable, report);
}

/** The file as the model has it. It must have been checked, without an error. */
export function toLbagentRouting({ port, routes }: ReadLbagentFile): Routing {
  const services = new Map<string, Service>();
  const led = need(routes).map((got): Route => {
    const read = need(got);
    const locator = toLocator(read);
    if (locator === undefined) throw new Error(`${got.path} was used although it could not be read`);
    const name = lbagentServiceName(locator);
    services.set(name, toService(name, locator, { ...unsaid(), limit: read.limit }));
    const backends = [{ kind: 'service', service: name, weight: 1 } as const];
    return { kind: 'forward', name: got.path, listeners: [FILE_LISTENER], match: exactly(need(read.uri)), backends };
  });
  return {
    listeners: [{ name: FILE_LISTENER, address: '0.0.0.0', port: need(port) }],
    services: [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    routes: led,
  };
}

function exactly(path: string): Route['match'] {
  return { path: { kind: 'exact', path }, hosts: [], methods: [], headers: [], query: [] };
}

type PodLocator = Extract<Locator, { kind: 'kubernetes' }>;

function toLocator({ namespace, service_name: service, http_port: port }: ReadLbagentRoute): PodLocator | undefined {
  if (service.value === undefined || port.value === undefined) return undefined;
  if (namespace !== undefined && namespace.value === undefined) return undefined;
  const own = namespace?.value === undefined ? {} : { namespace: namespace.value };
  return { kind: 'kubernetes', ...own, service: service.value, port: { kind: 'pod', port: port.value } };
}

/**
 * The name of a service that has none in this form: `<namespace>.<service>.<port>`, the same for the same pods. No part
 * has a dot of its own, so that different pods have different names; one that is too long is cut, and a hash of the
 * whole takes the place of the rest.
 */
export function lbagentServiceName({ namespace, service, port }: PodLocator): ServiceName {
  const name = [...(namespace === undefined ? [] : [namespace]), service, port.port].join('.');
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  // Labels of Kubernetes, digits and dots, at most 63 in all: what the brand stands for.
  return (name.length <= 63 ? name : `${name.slice(0, 54)}.${hash}`) as ServiceName;
}
