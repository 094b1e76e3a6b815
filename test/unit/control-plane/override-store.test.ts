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
  expect(store.pause(codec, 'kim@build')).toBe(true);
  expect(store.drain('10.0.0.1:80', 'kim@build')).toBe(true);
  expect(seen).toEqual({ changes: 2, faults: [] });
  const again = open(path).store;
  expect(again.current()).toEqual({
    paused: new Map([['codec', { by: 'kim@build', at: 1000 }]]),
    drained: new Map([['10.0.0.1:80', { by: 'kim@build', at: 1000 }]]),
  });
  expect(again.resume(codec)).toBe(true);
  expect(again.undrain('10.0.0.1:80')).toBe(true);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ paused: {}, drained: {} });
});

test('an order given twice keeps its first giver, and one that was not given is not taken back', () => {
  const { store, seen } = open(undefined);
  store.pause(codec, 'kim');
  expect(store.pause(codec, 'lee')).toBe(false);
  expect(store.current().paused.get(codec)?.by).toBe('kim');
  expect(store.undrain('10.0.0.1:80')).toBe(false);
  expect(store.resume(codec)).toBe(true);
  expect(store.resume(codec)).toBe(false);
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
  expect(store.pause(codec, 'kim')).toBe(true);
  expect(store.current().paused.size).toBe(1);
  expect(seen.faults[0]).toContain(`${path} cannot be written`);
});
