import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import type { ApiFailure } from '../../../src/kubernetes/api.ts';
import type { CollectionSink } from '../../../src/kubernetes/collection.ts';
import { followCollection } from '../../../src/kubernetes/follow-collection.ts';
import { WATCH_TIMING } from '../../../src/kubernetes/watch-timing.ts';
import { FakeApi, object } from './fake-api.ts';

const REFUSED: ApiFailure = { kind: 'unreachable', message: 'connect ECONNREFUSED' };
const GONE: ApiFailure = { kind: 'status', code: 410, message: 'too old resource version' };

describe('followCollection', () => {
  let clock: FakeClock;
  let api: FakeApi;
  let said: string[];
  let counted: string[];
  let stop: AbortController;
  let done: Promise<void>;
  const settle = () => clock.advance(0);
  const sink: CollectionSink<string> = {
    replaced: (items) => said.push(`all ${items.join(' ')}`),
    put: (item) => said.push(`put ${item}`),
    removed: (name) => said.push(`removed ${name}`),
    current: () => said.push('current'),
    failed: (verb, failure, since) => said.push(`failed ${verb} ${failure.message} ${since - 1_700_000_000_000}`),
  };
  beforeEach(async () => {
    clock = new FakeClock();
    api = new FakeApi();
    said = [];
    counted = [];
    stop = new AbortController();
    const collection = {
      path: '/api/v1/namespaces/x/services',
      label: 'a/b',
      read: (it: unknown) => {
        const { metadata, bad, hidden } = it as { metadata: { name: string }; bad?: boolean; hidden?: boolean };
        if (bad) throw new Error('no such object');
        return hidden ? undefined : metadata.name;
      },
    };
    // Chance in the middle: waits are three quarters, the rest is as it is written.
    const tools = {
      api,
      clock,
      random: () => 0.5,
      timing: WATCH_TIMING,
      count: (event: string) => counted.push(event),
    };
    done = followCollection(collection, sink, tools, stop.signal);
    await settle();
  });
  afterEach(async () => {
    stop.abort();
    await done;
  });
  /** A first list of `a` at version 5, and a watch that is open. */
  const begin = async () => {
    api.list().answer('5', [object('a', '3')]);
    await settle();
    api.lastWatch().open();
    expect(said).toEqual(['all a', 'current']);
    said = [];
  };

  test('counts answers, changes and failures, and no bookmarks', async () => {
    await begin();
    api.lastWatch().send('ADDED', object('b', '6'));
    api.lastWatch().send('BOOKMARK', object('', '7'));
    api.lastWatch().send('DELETED', object('a', '8'));
    expect(counted).toEqual(['answer', 'change', 'change']);
    await clock.advance(5000);
    api.lastWatch().line('not JSON');
    await settle();
    expect(counted).toEqual(['answer', 'change', 'change', 'failure']);
  });

  test('lists, then watches from there, with bookmarks and for as long as until the next list', async () => {
    expect(api.list().path).toBe('/api/v1/namespaces/x/services?limit=250&labelSelector=a%2Fb');
    await begin();
    const query = new URLSearchParams(api.lastWatch().path.split('?')[1]);
    expect(Object.fromEntries(query)).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '5',
      timeoutSeconds: '600',
      labelSelector: 'a/b',
    });
    api.lastWatch().send('ADDED', object('b', '6'));
    api.lastWatch().send('MODIFIED', object('a', '7', { hidden: true }));
    api.lastWatch().send('DELETED', object('b', '8'));
    api.lastWatch().send('BOOKMARK', { metadata: { resourceVersion: '9' } });
    expect(said).toEqual(['put b', 'removed a', 'removed b']);
  });

  test('a long list comes in pages, and counts only when it is whole', async () => {
    api.list().answer('5', [object('a', '3')], 'next page');
    await settle();
    expect(api.list().path).toContain('limit=250&continue=next+page');
    expect(said).toEqual([]);
    api.list().answer('5', [object('b', '4')]);
    await settle();
    expect(said).toEqual(['all a b']);
  });

  test('a watch that ends or breaks is followed by another one from where it was', async () => {
    await begin();
    await clock.advance(6000);
    api.lastWatch().send('ADDED', object('b', '6'));
    api.lastWatch().end();
    await settle();
    expect(api.watches).toHaveLength(2);
    expect(api.lastWatch().path).toContain('resourceVersion=6');
    api.lastWatch().open();
    await clock.advance(6000);
    api.lastWatch().send('BOOKMARK', { metadata: { resourceVersion: '8' } });
    api.lastWatch().end({ kind: 'unreachable', message: 'aborted' });
    await settle();
    expect(api.lastWatch().path).toContain('resourceVersion=8');
    expect(api.lists).toHaveLength(1);
    expect(said).toEqual(['put b', 'current']);
  });

  test('a watch that ends at once is not asked for at once', async () => {
    await begin();
    await clock.advance(100);
    api.lastWatch().end();
    await clock.advance(149);
    expect(api.lists).toHaveLength(1);
    await clock.advance(1);
    expect(api.lists).toHaveLength(2);
    expect(said).toEqual([]);
  });

  test('410 at the start of a watch, or in it: a new list, and no alarm', async () => {
    await begin();
    await clock.advance(6000);
    api.lastWatch().end();
    await settle();
    api.lastWatch().end(GONE);
    await clock.advance(200);
    expect(api.lists).toHaveLength(2);
    api.list().answer('20', [object('c', '18')]);
    await settle();
    expect(api.lastWatch().path).toContain('resourceVersion=20');
    api.lastWatch().open();
    await clock.advance(6000);
    api.lastWatch().send('ERROR', { code: 410, message: 'too old resource version' });
    // Whatever follows it in the same piece is not applied.
    api.lastWatch().send('ADDED', object('z', '99'));
    await settle();
    expect(api.lastWatch().signal.aborted).toBe(true);
    expect(api.lists).toHaveLength(3);
    expect(said).toEqual(['all c', 'current']);
  });

  test('a silent watch is given up after 75 to 90 s, and bookmarks keep it', async () => {
    await begin();
    await clock.advance(60_000);
    api.lastWatch().send('BOOKMARK', { metadata: { resourceVersion: '9' } });
    await clock.advance(74_999);
    expect(api.lists).toHaveLength(1);
    await clock.advance(15_001);
    expect(api.lastWatch().signal.aborted).toBe(true);
    expect(api.lists).toHaveLength(2);
    // Only when the list fails as well is there a reason to alarm, and the bookmark was the last that was heard.
    expect(said).toEqual([]);
    api.list().fail(REFUSED);
    await settle();
    expect(said).toEqual(['failed list connect ECONNREFUSED 60000']);
  });

  test('a list, and the start of a watch, have 15 s', async () => {
    await clock.advance(15_000);
    expect(said).toEqual(['failed list no answer within 15 s 0']);
    await clock.advance(150);
    api.list().answer('5', []);
    await settle();
    await clock.advance(15_000);
    expect(said.slice(1)).toEqual(['all ', 'failed watch no answer within 15 s 15150']);
  });

  test('everything is listed anew every ten minutes, by a watch of that length or without the help of the server', async () => {
    await begin();
    const quiet = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 30_000) {
        await clock.advance(30_000);
        api.lastWatch().send('BOOKMARK', { metadata: { resourceVersion: '9' } });
      }
    };
    await quiet(600_000);
    api.lastWatch().end();
    await settle();
    expect(api.lists).toHaveLength(2);
    api.list().answer('30', []);
    await settle();
    api.lastWatch().open();
    await quiet(690_000);
    await settle();
    expect(api.lists).toHaveLength(3);
    expect(said).toEqual(['all ', 'current']);
  });

  test('failures: told each time with the same beginning, waits grow to 3 s, and a list ends the trouble', async () => {
    await begin();
    await clock.advance(50_000);
    api.lastWatch().end({ kind: 'unreachable', message: 'ECONNRESET' });
    await settle();
    api.lastWatch().end(REFUSED);
    await settle();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const [count, begun] = [api.lists.length, clock.now()];
      while (api.lists.length === count) await clock.advance(1);
      waits.push(clock.now() - begun);
      api.list().fail(REFUSED);
      await settle();
    }
    // Three quarters of 200, 400, …
    expect(waits).toEqual([150, 300, 600, 1200, 2250, 2250, 2250]);
    expect(new Set(said)).toEqual(
      new Set(['failed watch connect ECONNREFUSED 50000', 'failed list connect ECONNREFUSED 50000']),
    );
    said = [];
    await clock.advance(2250);
    api.list().answer('40', [object('d', '39')]);
    await settle();
    api.lastWatch().open();
    expect(said).toEqual(['all d', 'current']);
  });

  test('a list that works beside a watch that does not: no hurry either', async () => {
    for (let round = 0; round < 6; round++) {
      api.list().answer('5', []);
      await settle();
      api.lastWatch().end({ kind: 'status', code: 403, message: 'no' });
      await clock.advance(3000);
    }
    expect(api.lists).toHaveLength(7);
    const count = api.lists.length;
    api.list().answer('5', []);
    await settle();
    api.lastWatch().end({ kind: 'status', code: 403, message: 'no' });
    await clock.advance(2200);
    expect(api.lists).toHaveLength(count);
  });

  test('stays away for as long as the server asks', async () => {
    api.list().fail({ kind: 'status', code: 429, message: 'too many requests', retryAfterMs: 20_000 });
    await clock.advance(19_999);
    expect(api.lists).toHaveLength(1);
    await clock.advance(1);
    expect(api.lists).toHaveLength(2);
  });

  test.each([
    ['a page that is none', () => api.list().text('<html>'), 'failed list not a list: <html>'],
    [
      'an object that is none',
      () => api.list().answer('5', [object('a', '3', { bad: true })]),
      'failed list an object that does not belong to /api/v1/namespaces/x/services: Error: no such object',
    ],
  ])('%s is a failure like others', async (_, answer, expected) => {
    answer();
    await settle();
    expect(said).toEqual([`${expected} 0`]);
    await clock.advance(150);
    expect(api.lists).toHaveLength(2);
  });

  test.each([
    ['{"type":', 'not an event: {"type":'],
    [
      JSON.stringify({ type: 'ADDED', object: object('a', '3', { bad: true }) }),
      'an object that does not belong to /api/v1/namespaces/x/services: Error: no such object',
    ],
  ])('an event that is none (%s) ends the watch', async (line, expected) => {
    await begin();
    api.lastWatch().line(line);
    await settle();
    expect(said).toEqual([`failed watch ${expected} 0`]);
    expect(api.lastWatch().signal.aborted).toBe(true);
    await clock.advance(150);
    expect(api.lists).toHaveLength(2);
  });

  test('ends when it is told to, wherever it is', async () => {
    await begin();
    stop.abort();
    await done;
    expect(api.lastWatch().signal.aborted).toBe(true);
    expect(said).toEqual([]);
  });

  test('ends in the middle of a wait', async () => {
    api.list().fail(REFUSED);
    await settle();
    stop.abort();
    await done;
    await clock.advance(60_000);
    expect(api.lists).toHaveLength(1);
  });
});
