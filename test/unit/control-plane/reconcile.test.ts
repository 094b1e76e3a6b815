import { describe, expect, test } from 'vitest';
import { type Reconciled, reconcile } from '../../../src/control-plane/reconcile.ts';
import type { Locator } from '../../../src/model/locator.ts';
import { NO_OVERRIDES } from '../../../src/model/overrides.ts';
import type { Pod } from '../../../src/model/pod.ts';
import type { Problem } from '../../../src/model/problem.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { SourceState } from '../../../src/model/source.ts';
import { kubernetes, serviceOf } from '../model/routing-parts.ts';

const pod = (port: number): Pod => ({ ip: '10.0.0.1', port, state: 'ready' });
const routingOf = (...names: readonly string[]): Routing => ({
  listeners: [],
  services: names.map((name) => serviceOf(name, kubernetes(name), 1)),
  routes: [],
});
const SILENT: SourceState<readonly Pod[]> = { kind: 'pending', problems: [] };
const FORBIDDEN: Problem = { severity: 'error', subject: 'kubernetes ai', message: 'forbidden' };

/** Reconciles again and again, with sources that say what `states` says. */
function world() {
  const states = new Map<string, SourceState<readonly Pod[]>>();
  let before: Reconciled | undefined;
  const podsOf = (locator: Locator) =>
    (locator.kind === 'kubernetes' ? states.get(locator.service) : undefined) ?? SILENT;
  return {
    answer(name: string, ...ports: readonly number[]) {
      states.set(name, { kind: 'ready', value: ports.map(pod), problems: [] });
    },
    fail(name: string) {
      states.set(name, { kind: 'pending', problems: [FORBIDDEN] });
    },
    look(wanted: Routing, mayWait = true): Reconciled {
      before = reconcile({ wanted, podsOf, before, overrides: NO_OVERRIDES, mayWait });
      return before;
    },
  };
}

/** The services of the model with the ports of their pods; `?`: nobody knows. */
function inModel({ model }: Reconciled) {
  return model?.services.map(({ service, pods, isKnown }) => [
    service.name,
    isKnown ? pods.map(({ port }) => port) : '?',
  ]);
}

test('the model is the same object until something of it changes, and so is each service', () => {
  const { answer, look } = world();
  const both = routingOf('codec', 'web');
  answer('codec', 1);
  answer('web', 2);
  const first = look(both).model;
  expect(look(both).model).toBe(first);
  answer('web', 2);
  expect(look(both).model, 'the source has another list that says the same').toBe(first);
  answer('web', 2, 3);
  const second = look(both).model;
  expect(second).not.toBe(first);
  expect(second?.services[0]).toBe(first?.services[0]);
});

describe('at a start', () => {
  test('sources that may answer any moment are waited for', () => {
    const { answer, look } = world();
    const both = routingOf('codec', 'web');
    answer('codec', 1);
    expect(look(both)).toMatchObject({ model: undefined, awaited: ['web'] });
    answer('web', 2);
    expect(inModel(look(both))).toEqual([
      ['codec', [1]],
      ['web', [2]],
    ]);
  });

  test('one that has failed holds nobody up, and of its service nothing is known', () => {
    const { answer, fail, look } = world();
    const both = routingOf('codec', 'web');
    answer('codec', 1);
    fail('web');
    const reconciled = look(both);
    expect(inModel(reconciled)).toEqual([
      ['codec', [1]],
      ['web', '?'],
    ]);
    expect(reconciled.wanted).toMatchObject({
      pending: ['web'],
      problems: [{ subject: 'service web: kubernetes ai' }],
    });
  });

  test('nobody is waited for longer than is allowed', () => {
    const { look } = world();
    expect(inModel(look(routingOf('codec'), false))).toEqual([['codec', '?']]);
  });
});

describe('an edit that brings a service', () => {
  test('leads nobody to it before its pods are known; the others go on to change', () => {
    const { answer, look } = world();
    const [before, after] = [routingOf('codec'), routingOf('codec', 'web')];
    answer('codec', 1);
    look(before);
    answer('codec', 1, 2);
    const waiting = look(after);
    expect(waiting.model?.routing).toBe(before);
    expect([inModel(waiting), waiting.awaited]).toEqual([[['codec', [1, 2]]], ['web']]);
    answer('web', 3);
    const done = look(after);
    expect(done.model?.routing).toBe(after);
    expect(inModel(done)).toEqual([
      ['codec', [1, 2]],
      ['web', [3]],
    ]);
  });

  test('goes on without it when nobody may be waited for any more', () => {
    const { answer, look } = world();
    answer('codec', 1);
    look(routingOf('codec'));
    expect(inModel(look(routingOf('codec', 'web'), false))).toEqual([
      ['codec', [1]],
      ['web', '?'],
    ]);
  });
});
