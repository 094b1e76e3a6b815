import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { OverrideStore } from '../../../src/control-plane/override-store.ts';
import type { ServiceName } from '../../../src/model/service.ts';

// The brand is the parser's; the names of tests are good.
const codec = 'codec' as ServiceName;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sluice-orders-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function open(path: string | undefined) {
  const seen = { changes: 0, faults: [] as string[] };
  const store = new OverrideStore({
    path,
    clock: new FakeClock(1000),
    changed: () => {
      seen.changes++;
    },
    onFault: (reason) => seen.faults.push(reason),
  });
  return { store, seen };
}

test('orders outlive the process', () => {
  const path = join(folder(), 'not-there-yet', 'orders.json');
  const { store, seen } = open(path);
  expect(store.pause(codec, 'kim@build')).toBeDefined();
  expect(store.drain('10.0.0.1:80', 'kim@build')).toBeDefined();
  expect(seen).toEqual({ changes: 2, faults: [] });
  const again = open(path).store;
  expect(again.current()).toEqual({
    paused: new Map([['codec', { by: 'kim@build', at: 1000 }]]),
    drained: new Map([['10.0.0.1:80', { by: 'kim@build', at: 1000 }]]),
  });
  expect(again.resume(codec, 'lee')).toBeDefined();
  expect(again.undrain('10.0.0.1:80', 'lee')).toBeDefined();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    ...{ paused: {}, drained: {} },
    // Later than the word that it takes back, whatever the clock says.
    ...{ resumed: { codec: { by: 'lee', at: 1001 } }, undrained: { '10.0.0.1:80': { by: 'lee', at: 1001 } } },
  });
});

test('an order given twice keeps its first giver, and one that was not given is not taken back', () => {
  const { store, seen } = open(undefined);
  store.pause(codec, 'kim');
  expect(store.pause(codec, 'lee')).toBeUndefined();
  expect(store.current().paused.get(codec)?.by).toBe('kim');
  expect(store.undrain('10.0.0.1:80', 'lee')).toBeUndefined();
  expect(store.resume(codec, 'kim')).toBeDefined();
  expect(store.resume(codec, 'kim')).toBeUndefined();
  expect(seen.changes).toBe(2);
});

test('a file that cannot be read is told and does not keep Sluice from starting', () => {
  const path = join(folder(), 'orders.json');
  writeFileSync(path, '{"paused": 3}');
  const { store, seen } = open(path);
  expect(store.current().paused.size).toBe(0);
  expect(seen.faults[0]).toContain(`${path} cannot be read`);
});

test('a folder that cannot be written: the order holds all the same, and it is told', () => {
  const made = folder();
  const path = join(made, 'orders.json');
  // A folder stands where the file should be: that stops even root.
  mkdirSync(path);
  chmodSync(made, 0o700);
  const { store, seen } = open(path);
  seen.faults.length = 0;
  expect(store.pause(codec, 'kim')).toBeDefined();
  expect(store.current().paused.size).toBe(1);
  expect(seen.faults[0]).toContain(`${path} cannot be written`);
});

test('Sluices that tell each other all that they know have the same orders, the later word on each thing', () => {
  const [one, other] = [open(undefined).store, open(undefined).store];
  one.pause(codec, 'kim');
  other.drain('10.0.0.1:80', 'lee');
  other.drain('10.0.0.2:80', 'lee');
  other.undrain('10.0.0.2:80', 'lee');
  const tell = () => [one.take(other.all()), other.take(one.all())];
  expect(tell().map((news) => news.map(({ kind, what }) => `${kind} ${what}`))).toEqual([
    ['drained 10.0.0.1:80'],
    ['paused codec'],
  ]);
  expect(tell()).toEqual([[], []]);
  // Taken back where it was not given, by a clock that stands still.
  other.resume(codec, 'lee');
  one.undrain('10.0.0.1:80', 'kim');
  tell();
  for (const store of [one, other]) expect(store.current()).toEqual({ paused: new Map(), drained: new Map() });
});

test('what another Sluice tells is bounded', () => {
  const { store } = open(undefined);
  const word = { kind: 'drained', what: 'x', isTakenBack: false, by: 'x', at: 1 } as const;
  expect(store.take([{ ...word, what: 'x'.repeat(1000) }])).toEqual([]);
  expect(store.take([{ ...word, at: Number.MAX_SAFE_INTEGER }])).toEqual([]);
  expect(store.take(Array.from({ length: 20_000 }, (_, at) => ({ ...word, what: String(at) })))).toHaveLength(10_000);
});
