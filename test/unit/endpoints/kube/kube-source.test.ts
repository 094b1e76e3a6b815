import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { fail, ok, type Result } from '../../../../src/base/result.ts';
import { type KubeCluster, KubeSource } from '../../../../src/endpoints/kube/kube-source.ts';
import type { ApiFailure } from '../../../../src/kubernetes/api.ts';
import type { Locator } from '../../../../src/model/locator.ts';
import { FakeApi } from '../../kubernetes/fake-api.ts';

const locator = (namespace: string | undefined): Locator => ({
  kind: 'kubernetes',
  ...(namespace === undefined ? {} : { namespace }),
  service: 'codec',
  port: { kind: 'pod', port: 8080 },
});

class FakeCluster extends FakeApi implements KubeCluster {
  answer: Result<string, ApiFailure> = ok('home');
  asked = 0;
  async namespace(): Promise<Result<string, ApiFailure>> {
    this.asked++;
    return this.answer;
  }
}

describe('KubeSource', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let source: KubeSource;
  let changes: number;
  let stop: AbortController;
  const settle = () => clock.advance(0);
  const namespaces = () => [
    ...new Set(cluster.lists.filter(({ signal }) => !signal.aborted).map(({ path }) => path.split('/').at(-2))),
  ];
  /** Answers all lists of a namespace with nothing. */
  const answer = async (namespace: string) => {
    for (const list of cluster.lists) if (list.path.includes(`/namespaces/${namespace}/`)) list.answer('5', []);
    await settle();
  };
  let done: Promise<void> | undefined;
  const run = async () => {
    done = source.run(stop.signal, () => changes++);
    await settle();
  };
  beforeEach(() => {
    clock = new FakeClock();
    cluster = new FakeCluster();
    changes = 0;
    stop = new AbortController();
    done = undefined;
    source = new KubeSource({ clock, cluster, log: () => undefined, random: () => 0.5 });
  });
  afterEach(async () => {
    stop.abort();
    await done;
  });

  test('asks for nothing before it runs, nor when nothing is wanted', async () => {
    source.want([locator('a')]);
    await settle();
    expect(source.pods(locator('a'))).toEqual({ kind: 'pending', problems: [] });
    source.want([{ kind: 'dns', host: 'x', port: 1 }]);
    await run();
    expect([cluster.lists.length, cluster.asked]).toEqual([0, 0]);
    expect(source.pods({ kind: 'dns', host: 'x', port: 1 })).toEqual({ kind: 'pending', problems: [] });
  });

  test('follows each namespace that is named, once, and no other', async () => {
    source.want([locator('a'), locator('b'), locator('a')]);
    await run();
    expect(namespaces()).toEqual(['a', 'b']);
    expect(cluster.lists).toHaveLength(4);
    expect(cluster.asked).toBe(0);
    await answer('a');
    expect(source.pods(locator('a')).kind).toBe('ready');
    expect(source.pods(locator('b')).kind).toBe('pending');
    expect(changes).toBe(1);
  });

  test('begins and ends with what is wanted', async () => {
    source.want([locator('a'), locator('b')]);
    await run();
    await answer('a');
    await answer('b');
    const watches = cluster.watches.filter(({ path }) => path.includes('/namespaces/a/'));
    source.want([locator('b'), locator('c')]);
    await settle();
    expect(watches.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(source.pods(locator('a')).kind).toBe('pending');
    expect(source.pods(locator('b')).kind).toBe('ready');
    expect(cluster.lists.at(-1)?.path).toContain('/namespaces/c/');
    source.want([locator('a'), locator('b'), locator('c')]);
    expect(cluster.lists.at(-1)?.path).toContain('/namespaces/a/');
  });

  test('the default namespace is asked for when one is left out, and is the same as when it is named', async () => {
    const other: Locator = { kind: 'kubernetes', service: 'other', port: { kind: 'pod', port: 1 } };
    source.want([locator(undefined), other, locator('home')]);
    await run();
    expect(cluster.asked).toBe(1);
    expect(namespaces()).toEqual(['home']);
    expect(cluster.lists).toHaveLength(2);
    await answer('home');
    expect(source.pods(locator(undefined)).kind).toBe('ready');
    expect(source.pods(locator('home')).kind).toBe('ready');
  });

  test('no way to the API server: pending with the reason, and tried again', async () => {
    cluster.answer = fail({ kind: 'config', message: 'no kubeconfig', fix: 'name one' });
    source.want([locator(undefined)]);
    await run();
    expect(source.pods(locator(undefined))).toMatchObject({
      kind: 'pending',
      problems: [{ severity: 'error', message: 'no kubeconfig', fix: 'name one' }],
    });
    await clock.advance(1000);
    expect(changes).toBe(1);
    cluster.answer = ok('home');
    await clock.advance(2000);
    expect(namespaces()).toEqual(['home']);
    expect(source.pods(locator(undefined))).toEqual({ kind: 'pending', problems: [] });
  });

  test('a fault of the kubeconfig is told once, however many namespaces and questions it keeps from being answered', async () => {
    const log: string[] = [];
    source = new KubeSource({
      clock,
      cluster,
      random: () => 0.5,
      log: (level, message) => log.push(`${level} ${message}`),
    });
    const byServicePort: Locator = {
      kind: 'kubernetes',
      namespace: 'b',
      service: 'codec',
      port: { kind: 'service', port: 80 },
    };
    source.want([locator('a'), byServicePort]);
    await run();
    for (const list of cluster.lists.slice()) list.fail({ kind: 'config', message: 'no such file', fix: 'name one' });
    await settle();
    // It is told as a problem, for which see `resolve`.
    expect(log.filter((line) => line.startsWith('warn'))).toEqual([]);
    expect(source.pods(byServicePort).problems).toEqual([
      { severity: 'error', subject: 'kubernetes', message: 'no such file', fix: 'name one' },
    ]);
  });

  test('ends everything with its signal', async () => {
    source.want([locator('a')]);
    await run();
    await answer('a');
    stop.abort();
    await done;
    expect(cluster.watches.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    source.want([locator('b')]);
    expect(cluster.lists).toHaveLength(2);
  });
});
