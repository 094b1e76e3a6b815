import { describe, expect, test } from 'vitest';
import type { TranslateOptions } from '../../../src/dataplane/options.ts';
import { translate, withoutServices } from '../../../src/dataplane/translate.ts';
import type { Model, ServiceWithPods } from '../../../src/model/model.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';
import { type EncodedResource, TYPE_URLS } from '../../../src/snapshot/resource.ts';

const OPTIONS: TranslateOptions = {
  filter: { kind: 'wasm', code: new Uint8Array([1]), version: 'one', guard: new Uint8Array() },
};

function routingOf(services: readonly string[], settings = 'limit: 1'): Routing {
  const lines = services.map((name) => `  ${name}: {dns: {host: ${name}.test, port: 80}, ${settings}}`);
  const routes = services.map((name) => `  - {match: {prefix: /${name}}, service: ${name}}`);
  const text = ['version: 1', 'services:', ...lines, 'routes:', ...routes].join('\n');
  const parsed = parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value.routing;
}

const POD: Pod = { ip: '10.0.0.1', port: 80, state: 'ready' };

function modelOf(routing: Routing, pods: readonly Pod[] = [POD]): Model {
  return { routing, services: routing.services.map((service) => ({ service, pods, isKnown: true })) };
}

/** Those of a type that were encoded anew. */
function made(before: readonly EncodedResource[], after: readonly EncodedResource[]): readonly string[] {
  return after.filter((one) => !before.includes(one)).map(({ name }) => name);
}

describe('translate', () => {
  test('encodes only the endpoints of the service whose pods have changed', () => {
    const routing = routingOf(Array.from({ length: 200 }, (_, at) => `s${at}`));
    const model = modelOf(routing);
    const before = translate(model, OPTIONS);
    const changed = (one: ServiceWithPods): ServiceWithPods =>
      one.service.name === 's7' ? { ...one, pods: [{ ...POD, state: 'draining' }] } : one;
    const after = translate({ ...model, services: model.services.map(changed) }, OPTIONS, before);
    expect(made(before.resources[TYPE_URLS.endpoints], after.resources[TYPE_URLS.endpoints])).toEqual(['s7']);
    for (const typeUrl of [TYPE_URLS.cluster, TYPE_URLS.listener, TYPE_URLS.routes, TYPE_URLS.extension] as const) {
      expect(after.resources[typeUrl]).toBe(before.resources[typeUrl]);
    }
  });

  test('is the very same for the same model', () => {
    const model = modelOf(routingOf(['a', 'b']));
    const before = translate(model, OPTIONS);
    expect(translate({ ...model }, OPTIONS, before)).toBe(before);
  });

  test('says the same with and without a translation before it', () => {
    const before = translate(modelOf(routingOf(['a', 'b', 'c'])), OPTIONS);
    const model = modelOf(routingOf(['b', 'd'], 'limit: 3'), [{ ...POD, port: 81 }]);
    expect(translate(model, OPTIONS, before).resources).toEqual(translate(model, OPTIONS).resources);
  });

  test('a route file that is read again makes no cluster again that is as it was', () => {
    const before = translate(modelOf(routingOf(['a', 'b'])), OPTIONS);
    const after = translate(modelOf(routingOf(['a', 'b', 'c'])), OPTIONS, before);
    expect(made(before.resources[TYPE_URLS.cluster], after.resources[TYPE_URLS.cluster])).toEqual(['c']);
    const limits = translate(modelOf(routingOf(['a', 'b'], 'limit: 2')), OPTIONS, before);
    expect(made(before.resources[TYPE_URLS.cluster], limits.resources[TYPE_URLS.cluster])).toEqual(['a', 'b']);
  });

  test('no edit of a service changes the listener, which would close connections', () => {
    const before = translate(modelOf(routingOf(['a', 'b'])), OPTIONS);
    const settings = [
      'limit: 7, queue: {max: 3, timeout: 1s, full_status: 418}',
      'max_requests: 5, queue: {full_status: 503}',
      'limit: 7, queue: {place: on}',
    ];
    for (const each of settings) {
      const after = translate(modelOf(routingOf(['a', 'c'], each)), OPTIONS, before);
      expect(after.resources[TYPE_URLS.listener]).toEqual(before.resources[TYPE_URLS.listener]);
    }
  });

  test('new code of the filter changes its own resources and no public listener', () => {
    const model = modelOf(routingOf(['a']));
    const before = translate(model, OPTIONS).resources;
    const newer: TranslateOptions = {
      ...OPTIONS,
      filter: { kind: 'wasm', code: new Uint8Array([2]), version: 'two', guard: new Uint8Array() },
    };
    const after = translate(model, newer).resources;
    expect(after[TYPE_URLS.extension]).not.toEqual(before[TYPE_URLS.extension]);
    const listener = (list: readonly EncodedResource[]) => list.find(({ name }) => name === 'public');
    expect(listener(after[TYPE_URLS.listener])).toEqual(listener(before[TYPE_URLS.listener]));
    expect(after[TYPE_URLS.cluster]).toEqual(before[TYPE_URLS.cluster]);
  });

  test('other bounds of headers change clusters and listeners, the same bounds in other words do not', () => {
    const model = modelOf(routingOf(['a']));
    const before = translate(model, OPTIONS);
    const bounded = (lines: number, of = model) =>
      translate({ ...of, routing: { ...of.routing, headerBounds: { lines, size: 262_144 } } }, OPTIONS, before)
        .resources;
    expect(bounded(1000)).toEqual(before.resources);
    expect(bounded(50)[TYPE_URLS.cluster]).not.toEqual(before.resources[TYPE_URLS.cluster]);
    expect(bounded(50)[TYPE_URLS.listener]).not.toEqual(before.resources[TYPE_URLS.listener]);
  });

  test('an Envoy that does not carry a service has neither its cluster nor its endpoints, but its routes', () => {
    const { resources } = translate(modelOf(routingOf(['a', 'b'])), OPTIONS);
    const carried = withoutServices(resources, new Set(['a' as ServiceName]));
    expect(carried[TYPE_URLS.cluster].map(({ name }) => name)).toEqual(['_sluice.control', 'b']);
    expect(carried[TYPE_URLS.endpoints].map(({ name }) => name)).toEqual(['b']);
    expect(carried[TYPE_URLS.routes]).toBe(resources[TYPE_URLS.routes]);
    expect(withoutServices(resources, new Set())).toBe(resources);
  });
});
