import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Clock, systemClock } from '../../../../src/base/clock.ts';
import type { Routing } from '../../../../src/model/routing.ts';
import type { SourceState } from '../../../../src/model/source.ts';
import type { WatchFolder } from '../../../../src/routes/file/folder-watch.ts';
import { LastGoodFile } from '../../../../src/routes/file/last-good.ts';
import { RouteFileSource } from '../../../../src/routes/file/watch.ts';

/** A poll that never comes: what is found then, a watch has told. */
const noPoll: Clock = { ...systemClock, after: (ms, act) => (ms >= 2000 ? () => {} : systemClock.after(ms, act)) };
/** Everything ten times as fast. */
const fast: Clock = { ...systemClock, after: (ms, act) => systemClock.after(ms / 10, act) };
/** A second look that takes its time. */
const patient: Clock = {
  ...noPoll,
  after: (ms, act) => noPoll.after(ms > 150 && ms < 2000 ? ms * 20 : ms, act),
};
const noWatch: WatchFolder = () => {
  throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
};

const good = (port: number) => `version: 1\nlisten: {port: ${port}}\nroutes: []\n`;

let folder = '';
let stop = async () => {};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

const at = (...names: string[]) => join(folder, ...names);

interface Followed {
  readonly source: RouteFileSource;
  /** The state after each `changed`, in short. */
  readonly seen: string[];
}

function follow(path: string, options: { readonly clock?: Clock; readonly watch?: WatchFolder } = {}): Followed {
  const { clock = noPoll, watch } = options;
  const source = new RouteFileSource({ path, env: {}, clock, ...(watch === undefined ? {} : { watch }) });
  const seen: string[] = [];
  const aborting = new AbortController();
  const running = source.run(aborting.signal, () => seen.push(short(source.state())));
  stop = async () => {
    aborting.abort();
    await running;
  };
  return { source, seen };
}

function short(state: SourceState<Routing>): string {
  return state.kind === 'pending' ? 'pending' : `${state.kind} ${state.value.listeners[0]?.port}`;
}

const until = (seen: readonly string[], ...states: string[]) =>
  vi.waitFor(() => expect(seen).toEqual(states), { timeout: 10_000, interval: 5 });

/** As a ConfigMap volume is written: https://pkg.go.dev/k8s.io/kubernetes/pkg/volume/util#AtomicWriter */
function writeConfigMap(version: number, text: string): void {
  mkdirSync(at(`..${version}`));
  writeFileSync(at(`..${version}`, 'r.yaml'), text);
  symlinkSync(`..${version}`, at('..data_tmp'));
  renameSync(at('..data_tmp'), at('..data'));
  if (version === 1) symlinkSync('..data/r.yaml', at('r.yaml'));
  else rmSync(at(`..${version - 1}`), { recursive: true });
}

describe('RouteFileSource follows', () => {
  it('a file that is written in place, again and again', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 1', 'ready 2');
    writeFileSync(at('r.yaml'), good(3));
    await until(seen, 'ready 1', 'ready 2', 'ready 3');
  });

  it('an editor that puts another file in its place', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    for (const port of [2, 3]) {
      writeFileSync(at('r.yaml.tmp'), good(port));
      renameSync(at('r.yaml.tmp'), at('r.yaml'));
      await vi.waitFor(() => expect(seen.at(-1)).toBe(`ready ${port}`), { timeout: 10_000 });
    }
    writeFileSync(at('r.yaml'), good(4));
    await until(seen, 'ready 1', 'ready 2', 'ready 3', 'ready 4');
  });

  it('a writer that empties the file first and takes its time', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen } = follow(at('r.yaml'), { clock: patient });
    await until(seen, 'ready 1');
    truncateSync(at('r.yaml'));
    await delay(80);
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 1', 'ready 2');
  });

  it('a ConfigMap volume', async () => {
    writeConfigMap(1, good(1));
    const { seen } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    for (const version of [2, 3, 4]) {
      writeConfigMap(version, good(version));
      await vi.waitFor(() => expect(seen.at(-1)).toBe(`ready ${version}`), { timeout: 10_000 });
    }
    expect(seen).toEqual(['ready 1', 'ready 2', 'ready 3', 'ready 4']);
  });

  it('a link in another folder, and the file it leads to', async () => {
    mkdirSync(at('a'));
    mkdirSync(at('b'));
    writeFileSync(at('a', 'r.yaml'), good(1));
    writeFileSync(at('b', 'r.yaml'), good(2));
    symlinkSync('a', at('current'));
    mkdirSync(at('etc'));
    symlinkSync('../current/r.yaml', at('etc', 'r.yaml'));
    const { seen } = follow(at('etc', 'r.yaml'));
    await until(seen, 'ready 1');
    symlinkSync(at('b'), at('next'));
    renameSync(at('next'), at('current'));
    await until(seen, 'ready 1', 'ready 2');
    writeFileSync(at('b', 'r.yaml'), good(3));
    await until(seen, 'ready 1', 'ready 2', 'ready 3');
  });

  it('a folder that is moved away, and another one that takes its place', async () => {
    mkdirSync(at('etc'));
    writeFileSync(at('etc', 'r.yaml'), good(1));
    const { seen } = follow(at('etc', 'r.yaml'));
    await until(seen, 'ready 1');
    renameSync(at('etc'), at('old'));
    await until(seen, 'ready 1', 'stale 1');
    mkdirSync(at('new'));
    writeFileSync(at('new', 'r.yaml'), good(2));
    renameSync(at('new'), at('etc'));
    await until(seen, 'ready 1', 'stale 1', 'ready 2');
    writeFileSync(at('old', 'r.yaml'), good(9));
    writeFileSync(at('etc', 'r.yaml'), good(3));
    await until(seen, 'ready 1', 'stale 1', 'ready 2', 'ready 3');
  });

  it('a file that is deleted and made anew', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen, source } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    unlinkSync(at('r.yaml'));
    await until(seen, 'ready 1', 'stale 1');
    expect(source.state().problems).toMatchObject([
      { message: expect.stringMatching(/^there is no (such file|folder)/) },
    ]);
    writeFileSync(at('r.yaml'), good(1));
    await until(seen, 'ready 1', 'stale 1', 'ready 1');
  });

  it('a file that is not there yet, in a folder that is not there yet', async () => {
    const { seen, source } = follow(at('etc', 'sluice', 'r.yaml'));
    await until(seen, 'pending');
    expect(source.state().problems).toMatchObject([
      { message: expect.stringMatching(/^there is no (such file|folder)/) },
    ]);
    mkdirSync(at('etc', 'sluice'), { recursive: true });
    writeFileSync(at('etc', 'sluice', 'r.yaml'), good(1));
    await until(seen, 'pending', 'ready 1');
  });

  it('a file whose folders cannot be watched, by looking now and then', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen } = follow(at('r.yaml'), { clock: fast, watch: noWatch });
    await until(seen, 'ready 1');
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 1', 'ready 2');
    unlinkSync(at('r.yaml'));
    await until(seen, 'ready 1', 'ready 2', 'stale 2');
  });
});

describe('RouteFileSource', () => {
  it('keeps the last good file active while the file is bad', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen, source } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    const before = Date.now();
    writeFileSync(at('r.yaml'), good(0));
    await until(seen, 'ready 1', 'stale 1');
    const state = source.state();
    if (state.kind !== 'stale') throw new Error('not stale');
    expect(state.problems).toMatchObject([{ severity: 'error', subject: at('r.yaml'), path: 'listen.port' }]);
    expect(state.since).toBeGreaterThanOrEqual(before);
    writeFileSync(at('r.yaml'), 'version: 3');
    await until(seen, 'ready 1', 'stale 1', 'stale 1');
    expect(source.state()).toMatchObject({ since: state.since, problems: [{ path: 'version' }] });
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 1', 'stale 1', 'stale 1', 'ready 2');
  });

  it('tells of no change when the file says the same', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const { seen, source } = follow(at('r.yaml'));
    await until(seen, 'ready 1');
    const state = source.state();
    const value = state.kind === 'ready' ? state.value : undefined;
    writeFileSync(at('r.yaml'), good(1));
    await delay(100);
    writeFileSync(at('r.yaml'), `${good(1)}# a comment\n`);
    await delay(100);
    expect(source.state()).toBe(state);
    writeFileSync(at('r.yaml'), `# above\n${good(1)}`);
    // The warning stands on another line now; the routing is the same object.
    await until(seen, 'ready 1', 'ready 1');
    const after = source.state();
    expect(after.kind === 'ready' && after.value).toBe(value);
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 1', 'ready 1', 'ready 2');
  });

  it('can be read before it is followed, and then says nothing twice', async () => {
    writeFileSync(at('r.yaml'), good(1));
    const source = new RouteFileSource({ path: at('r.yaml'), env: {}, clock: systemClock });
    expect(source.state()).toEqual({ kind: 'pending', problems: [] });
    expect(await source.load()).toMatchObject({ ok: true, value: { routing: { listeners: [{ port: 1 }] } } });
    expect(source.state()).toMatchObject({ kind: 'ready', problems: [{ severity: 'warning', path: 'routes' }] });
    const aborting = new AbortController();
    const seen: string[] = [];
    const running = source.run(aborting.signal, () => seen.push(short(source.state())));
    await delay(100);
    expect(seen).toEqual([]);
    writeFileSync(at('r.yaml'), good(2));
    await until(seen, 'ready 2');
    aborting.abort();
    await running;
    writeFileSync(at('r.yaml'), good(3));
    await delay(100);
    expect(seen).toEqual(['ready 2']);
  });

  it('tells what is wrong when it cannot be read at start', async () => {
    writeFileSync(at('r.yaml'), good(0));
    const source = new RouteFileSource({ path: at('r.yaml'), env: {}, clock: systemClock });
    expect(await source.load()).toMatchObject({ ok: false, errors: [{ path: 'listen.port' }] });
    expect(source.state()).toMatchObject({ kind: 'pending', problems: [{ path: 'listen.port' }] });
  });
});

describe('RouteFileSource and the files it names', () => {
  const tls = () => `version: 1\nlisten: {port: 8443, tls: {cert: tls.crt, key: tls.key}}\nroutes: []\n`;

  function make(name: string): void {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...files, '-subj', `/CN=${name}`, '-days', '30'], {
      stdio: 'ignore',
    });
  }

  const errorsOf = (source: RouteFileSource) =>
    source.state().problems.flatMap(({ severity, path }) => (severity === 'error' ? [path] : []));

  const certificate = (source: RouteFileSource) => {
    const state = source.state();
    const [first] = state.kind === 'pending' ? [] : (state.value.listeners[0]?.tls?.certificates ?? []);
    return first?.kind === 'inline' ? first.cert : undefined;
  };

  it('waits for them at the start, and goes on as soon as they are there', async () => {
    writeFileSync(at('r.yaml'), tls());
    const { seen, source } = follow(at('r.yaml'));
    await until(seen, 'pending');
    expect(errorsOf(source)).toEqual(['listen.tls.cert', 'listen.tls.key']);
    make('tls');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('ready 8443'), { timeout: 10_000 });
    expect(certificate(source)).toBe(readFileSync(at('tls.crt'), 'utf8'));
  });

  it('keeps what it had when one of them becomes bad, and takes a renewed pair', async () => {
    make('tls');
    make('next');
    writeFileSync(at('r.yaml'), tls());
    const { seen, source } = follow(at('r.yaml'));
    await until(seen, 'ready 8443');
    const first = certificate(source);
    expect(first).toBeDefined();
    writeFileSync(at('tls.crt'), 'garbage');
    await until(seen, 'ready 8443', 'stale 8443');
    expect(certificate(source)).toBe(first);
    expect(errorsOf(source)).toEqual(['listen.tls.cert']);
    for (const file of ['key', 'crt']) renameSync(at(`next.${file}`), at(`tls.${file}`));
    await vi.waitFor(() => expect(seen.at(-1)).toBe('ready 8443'), { timeout: 10_000 });
    expect(certificate(source)).toBe(readFileSync(at('tls.crt'), 'utf8'));
    expect(certificate(source)).not.toBe(first);
  });

  it('tells of no pair that does not match while it is being replaced, file by file', async () => {
    make('tls');
    make('next');
    writeFileSync(at('r.yaml'), tls());
    const { seen } = follow(at('r.yaml'), { clock: patient });
    await until(seen, 'ready 8443');
    renameSync(at('next.key'), at('tls.key'));
    await delay(300);
    renameSync(at('next.crt'), at('tls.crt'));
    await until(seen, 'ready 8443', 'ready 8443');
  });
});

describe('the last good file', () => {
  const open = (clock: Clock = systemClock) =>
    new RouteFileSource({ path: at('r.yaml'), env: {}, clock, lastGood: new LastGoodFile(at('state'), at('r.yaml')) });

  it('stands in for a bad one at the next start, which is told, until the file is good again', async () => {
    writeFileSync(at('r.yaml'), good(1));
    expect((await open().load()).ok).toBe(true);
    writeFileSync(at('r.yaml'), good(0));
    const source = open();
    expect(await source.load()).toMatchObject({ ok: true, value: { routing: { listeners: [{ port: 1 }] } } });
    expect(short(source.state())).toBe('stale 1');
    expect(source.state().problems).toMatchObject([
      { severity: 'error', message: expect.stringContaining('Sluice goes on with the last one that could') },
      { path: 'listen.port' },
    ]);
    const aborting = new AbortController();
    const running = source.run(aborting.signal, () => undefined);
    writeFileSync(at('r.yaml'), good(2));
    await vi.waitFor(() => expect(short(source.state())).toBe('ready 2'), { timeout: 10_000 });
    aborting.abort();
    await running;
    rmSync(at('r.yaml'));
    const gone = open();
    await gone.load();
    expect(short(gone.state())).toBe('stale 2');
  });

  it('is kept for this file alone, and nothing else stands in for a bad one', async () => {
    writeFileSync(at('r.yaml'), good(1));
    await open().load();
    writeFileSync(at('other.yaml'), good(0));
    const lastGood = new LastGoodFile(at('state'), at('other.yaml'));
    const other = new RouteFileSource({ path: at('other.yaml'), env: {}, clock: systemClock, lastGood });
    expect((await other.load()).ok).toBe(false);
    expect(other.state().kind).toBe('pending');
  });

  it('that cannot be kept is told, and stops nothing', async () => {
    writeFileSync(at('r.yaml'), good(1));
    writeFileSync(at('state'), 'a file, no folder');
    const source = open();
    await source.load();
    expect(short(source.state())).toBe('ready 1');
    expect(source.state().problems.at(-1)).toMatchObject({ severity: 'warning', subject: 'state folder' });
  });
});

it.runIf(process.platform === 'linux')(
  'a file that has no name left is told to be a mount that was replaced',
  async () => {
    writeFileSync(at('r.yaml'), good(1));
    const file = openSync(at('r.yaml'), 'r');
    onTestFinished(() => closeSync(file));
    const source = new RouteFileSource({ path: `/proc/self/fd/${file}`, env: {}, clock: systemClock });
    await source.load();
    expect(source.state().problems.map(({ severity }) => severity)).toEqual(['warning']);
    rmSync(at('r.yaml'));
    await source.load();
    expect(source.state().problems.at(-1)).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('the mount still shows the old one'),
    });
  },
);
