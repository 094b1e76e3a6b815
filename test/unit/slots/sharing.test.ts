import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { millis } from '../../../src/base/duration.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { KeptFile } from '../../../src/control-plane/kept-file.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import type { CoordinatorMessage } from '../../../src/slots/coordinator.ts';
import type { SlotChange } from '../../../src/slots/events.ts';
import { Member } from '../../../src/slots/member.ts';
import type { Peer } from '../../../src/slots/peer.ts';
import type { Hello } from '../../../src/slots/read-message.ts';
import { MemberRegister } from '../../../src/slots/register.ts';
import { Sharing } from '../../../src/slots/sharing.ts';
import type { ToFilter } from '../../../src/slots/write-message.ts';
import { helloOf } from './hello.ts';

const PACE = { heartbeatMs: 300, reportMs: 500, deadAfterMs: 1000 };
const CODEC = 'codec' as ServiceName;
const OTHER = 'other' as ServiceName;
const SETTINGS = {
  max: 10,
  timeoutMs: 0,
  fullStatus: 429,
  abortHoldMs: 0,
  slackMs: 0,
  ejection: { consecutive5xx: 0, consecutiveGateway: 0, baseMs: 1, maxMs: 1 },
  tellPlace: false,
  waitForBodyBytes: 0,
  jobs: undefined,
  idempotency: undefined,
  ownSlots: false,
};

interface Filter {
  readonly hello: Hello;
  readonly member: Member;
  readonly said: ToFilter[];
}

/** Sluice's side of shared slots, and filters that are made up. */
function world({ reclaim, folder = newFolder() }: { readonly reclaim?: number; readonly folder?: string } = {}) {
  const jobs = { known: true, orphans: 0, ofEnded: new Map<string, number>() };
  const clock = new FakeClock();
  const filters = new Map<string, Filter[]>();
  const open = () => [...filters.values()].flat();
  const register = new MemberRegister({
    kept: new KeptFile(join(folder, 'members.json')),
    onFault: (reason) => {
      throw new Error(reason);
    },
  });
  const sharing = new Sharing({
    clock,
    log: makeLogger('silent'),
    register,
    reclaimMs: reclaim === undefined ? undefined : millis(reclaim),
    takenByJobs: () => (jobs.known ? jobs.orphans : undefined),
    ended: (members) => {
      for (const { node } of members) jobs.orphans += jobs.ofEnded.get(node) ?? 0;
    },
    members: (node) => (filters.get(node) ?? []).map(({ member }) => member),
    coordination: { kind: 'alone', takeTerm: (now) => register.takeTerm(now) },
    relays: () => {
      throw new Error('there is no other Sluice');
    },
    end: () => {},
    flush: (member) => {
      const filter = open().find((each) => each.member === member);
      filter?.said.push(...member.takeMessages().map(({ message }) => message));
    },
    changed: () => {},
  });
  const pod = (name: ServiceName, limit = 2) => ({ name, limits: new Map([['p:1', limit]]) });
  sharing.follow([pod(CODEC)]);
  return {
    clock,
    sharing,
    folder,
    /** Slots of the pod that jobs take which no filter knows; by node, how many more when its filter has ended. */
    jobs,
    pod,
    /** A filter comes, with pods that it knows, and is told the rest. */
    come(node: string, epoch: string, more: Partial<Hello> = {}): Filter {
      const hello = helloOf({ node, epoch, process: `${node}-${epoch}`, ...more });
      const filter: Filter = { hello, member: new Member(hello, PACE), said: [] };
      filters.set(node, [
        ...(filters.get(node) ?? []).filter(({ hello: { epoch: other } }) => other !== epoch),
        filter,
      ]);
      filter.member.receive({ kind: 'hello end' }, clock.monotonic(), '');
      sharing.record({ kind: 'hello', node, epoch, codeVersion: '', memoryBytes: 0, services: [], peer: '' });
      filter.member.want([
        CODEC,
        { kind: 'service', settings: SETTINGS, pods: new Map([['p:1', { limit: 2, unhealthy: false }]]) },
      ]);
      filter.said.push(...filter.member.takeMessages().map(({ message }) => message));
      for (const event of filter.member.receive({ kind: 'ack', sequence: 1000 }, clock.monotonic(), ''))
        sharing.record(event);
      return filter;
    },
    holding(filter: Filter, held: readonly (readonly [string, number])[], service = CODEC) {
      const { node, epoch } = filter.hello;
      sharing.record({ kind: 'holding', node, epoch, services: [{ service, held, waiting: [] }], isComplete: true });
    },
    changes(filter: Filter, ...changes: readonly SlotChange[]) {
      const { node, epoch } = filter.hello;
      sharing.record({ kind: 'changes', node, epoch, changes });
    },
    /** A filter of another Sluice comes, which would use these pods of services. */
    comeBy(via: string, node: string, usable: ReadonlyMap<ServiceName, ReadonlySet<string>>) {
      const said: CoordinatorMessage[] = [];
      const ends: string[] = [];
      const lacks: (readonly string[])[] = [];
      const peer: Peer = {
        hello: { node, epoch: '1', process: `${node}-1`, stream: 1, shares: true },
        via,
        services: [...usable.keys()],
        usable: (name) => usable.get(name) ?? new Set(),
        say(messages) {
          said.push(...messages);
          const grants = said.filter(({ kind }) => kind === 'grant').length;
          if (grants > 0) sharing.tell(peer, { kind: 'received', grants });
        },
        askEnded: () => {},
        tellLacking: (services) => lacks.push(services),
        end: (reason) => ends.push(reason),
      };
      expect(sharing.refusalOfRelayed(peer.hello)).toBeUndefined();
      sharing.enter(peer);
      sharing.tell(peer, { kind: 'usable', services: [...usable.keys()] });
      return { peer, said, ends, lacks };
    },
    go(filter: Filter) {
      const { node, epoch } = filter.hello;
      filter.member.close(clock.monotonic());
      sharing.record({ kind: 'gone', node, epoch, reason: '' });
    },
  };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sharing-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Of an earlier start, so that nobody is waited for who is not named here.
  writeFileSync(join(folder, 'members.json'), '{"term":1,"members":[],"dead":[]}');
  return folder;
}

/** What was granted, as text. */
const grants = ({ said }: Filter) =>
  said.flatMap((message) =>
    message.kind === 'slots'
      ? message.changes.flatMap((each) =>
          each.kind === 'grant' ? [`${each.service} ${each.pod} ${each.request}`] : [],
        )
      : [],
  );
const kinds = ({ said }: Filter) => said.map(({ kind }) => kind);

test('one Envoy is told nothing of slots; when a second one comes both are, and slots are made when both have said what they hold', () => {
  const { come, holding } = world();
  const a = come('a', '1');
  expect(kinds(a)).toEqual(['welcome', 'service']);
  const b = come('b', '2');
  expect(kinds(a)).toEqual(['welcome', 'service', 'share']);
  // Before it knows any pod it knows that their slots are not its own.
  expect(kinds(b)).toEqual(['welcome', 'share', 'service']);
  holding(b, []);
  expect([grants(a), grants(b)]).toEqual([[], []]);
  holding(a, [['p:1', 1]]);
  expect([grants(a), grants(b)]).toEqual([[], ['codec p:1 0']]);
});

test('while nobody is known to coordinate a filter shares and gets no slot; that is told unless it passes at once', async () => {
  const { clock, sharing, come, holding, go } = world();
  sharing.coordinate({ kind: 'unknown' });
  const { said } = come('a', '1');
  expect(said.flatMap((message) => (message.kind === 'share' ? [message.term] : []))).toEqual([0]);
  expect(sharing.state().takesPart).toBe(false);
  // It is no Envoy without a filter, though none is registered.
  expect([sharing.hasFilter('a', true), sharing.hasFilter('b', true)]).toEqual([true, false]);
  expect(sharing.problems()).toEqual([]);
  await clock.advance(3000);
  expect(sharing.problems()).toMatchObject([{ subject: 'slots', message: expect.stringContaining('not known which') }]);
  sharing.coordinate({ kind: 'coordinates', term: 1, prove: async () => true });
  await clock.advance(3000);
  expect(sharing.problems()).toEqual([]);
  expect(sharing.state().takesPart).toBe(false);
  const again = come('a', '1', { stream: 2, shares: true });
  expect(sharing.state().takesPart).toBe(false);
  holding(again, []);
  expect(sharing.state().takesPart).toBe(true);
  // It goes on with what it has while nobody coordinates, also when its stream has ended with that of the coordinator.
  sharing.coordinate({ kind: 'unknown' });
  expect(sharing.state().takesPart).toBe(true);
  go(again);
  expect(sharing.state().takesPart).toBe(true);
  const third = come('a', '1', { stream: 3, shares: true });
  expect(sharing.state().takesPart).toBe(true);
  // Another start of that Envoy has none.
  go(third);
  come('a', '2');
  expect(sharing.state().takesPart).toBe(false);
});

test('a filter that shared before this start of Sluice has its part, though nobody coordinates', () => {
  const { sharing, come } = world();
  sharing.coordinate({ kind: 'unknown' });
  expect(sharing.state().takesPart).toBe(false);
  come('a', '1', { stream: 2, shares: true });
  expect(sharing.state().takesPart).toBe(true);
  come('b', '2');
  expect(sharing.state().takesPart).toBe(false);
});

test('a Sluice that followed another one and is not told to any more makes no slot, and tells at once what to write', () => {
  const { sharing, come } = world();
  sharing.coordinate({ kind: 'unknown', followed: '10.0.0.1:18000' });
  const started = come('a', '1');
  const shared = come('b', '1', { stream: 2, shares: true });
  expect(
    [started, shared].map(({ said }) => said.flatMap((each) => (each.kind === 'share' ? [each.term] : []))),
  ).toEqual([[0], []]);
  expect([grants(started), grants(shared)]).toEqual([[], []]);
  expect(sharing.state().term).toBe(undefined);
  expect(sharing.problems()).toMatchObject([
    {
      severity: 'error',
      subject: 'slots',
      message: expect.stringContaining(
        'followed the coordinator 10.0.0.1:18000, and was started without --coordinator',
      ),
      fix: expect.stringMatching(/--coordinator 10\.0\.0\.1:18000 again; or, .* once with --coordinator none/),
    },
  ]);
});

test('slots of an Envoy that is away are missing, until the same node id is started again', async () => {
  const { clock, sharing, come, holding, go } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  go(a);
  await clock.advance(60_000);
  expect([grants(b), sharing.state().missing(CODEC)]).toEqual([[], 2]);
  expect(sharing.problems().map(({ message }) => message)).toEqual([
    'has lost its connection, and may still use its pods: the slots that it holds are missing: 2 of codec, until it is back',
  ]);
  // Another filter of the same Envoy proves nothing.
  const newer = come('a', '3', { process: 'a-1' });
  holding(newer, []);
  expect([grants(b), grants(newer)]).toEqual([[], []]);
  go(newer);
  const again = come('a', '4');
  holding(again, []);
  expect([grants(b).length + grants(again).length, sharing.state().missing(CODEC)]).toEqual([2, 0]);
  expect(sharing.problems()).toEqual([]);
});

test('a filter that was replaced in its Envoy is asked after, and its slots are free when it has ended', async () => {
  const { clock, sharing, come, holding, go } = world();
  const old = come('a', '1', { process: 'a' });
  const b = come('b', '2');
  holding(old, [['p:1', 2]]);
  holding(b, []);
  go(old);
  const newer = come('a', '3', { process: 'a' });
  holding(newer, []);
  await clock.advance(1000);
  expect(newer.said).toContainEqual({ kind: 'ask ended', epoch: '1' });
  expect(sharing.state().missing(CODEC)).toBe(2);
  sharing.record({ kind: 'ended', node: 'a', epoch: '3', ended: '1' });
  expect([grants(b).length + grants(newer).length, sharing.state().missing(CODEC)]).toEqual([2, 0]);
});

test('after a restart nothing is given before everybody who may hold slots has come', () => {
  const before = world();
  const a = before.come('a', '1');
  before.come('b', '2');
  const { come, holding, sharing } = world({ folder: before.folder });
  const b = come('b', '2', { stream: 2, shares: true });
  holding(b, []);
  expect([grants(b), sharing.state().missing(CODEC)]).toEqual([[], 2]);
  expect(sharing.state().term).toBeGreaterThan(before.sharing.state().term ?? 0);
  const back = come('a', '1', { ...a.hello, stream: 2, shares: true });
  holding(back, [['p:1', 1]]);
  expect([grants(b), grants(back)]).toEqual([['codec p:1 0'], []]);
});

test('two Envoys cannot use one node id at a time', () => {
  const { sharing, come, go } = world();
  const a = come('a', '1');
  expect(sharing.refusal({ ...a.hello, epoch: '2', process: 'another' })).toBe(
    'another Envoy of the node id a is connected',
  );
  expect(sharing.refusal({ ...a.hello, epoch: '2' })).toBeUndefined();
  go(a);
  expect(sharing.refusal({ ...a.hello, epoch: '2', process: 'another' })).toBeUndefined();
});

test('where that was asked for, slots are reclaimed after a while; who still lives is told', async () => {
  const { clock, come, holding, go } = world({ reclaim: 5000 });
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  go(a);
  await clock.advance(4000);
  expect(grants(b)).toEqual([]);
  await clock.advance(2000);
  expect(grants(b)).toEqual(['codec p:1 0', 'codec p:1 0']);
  const back = come('a', '1', { ...a.hello, stream: 2, shares: true });
  holding(back, [['p:1', 2]]);
  expect(kinds(back)).toContain('given up');
});

test('a pod passes from one service to another slot by slot, over all Envoys', () => {
  const { sharing, come, holding, changes, pod } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  for (const { member } of [a, b])
    member.want([
      OTHER,
      { kind: 'service', settings: SETTINGS, pods: new Map([['p:1', { limit: 2, unhealthy: false }]]) },
    ]);
  for (const filter of [a, b]) {
    filter.member.takeMessages();
    for (const event of filter.member.receive({ kind: 'ack', sequence: 1000 }, 0, '')) sharing.record(event);
  }
  sharing.follow([{ name: CODEC, limits: new Map() }, pod(OTHER)]);
  expect([grants(a), grants(b)]).toEqual([[], []]);
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect(grants(a).length + grants(b).length).toBe(1);
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect([...grants(a), ...grants(b)]).toEqual(['other p:1 0', 'other p:1 0']);
});

test('slots of a service that is not there any more count before a member has told of them', () => {
  const { sharing, come, holding, pod } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  sharing.follow([pod(OTHER)]);
  b.member.want([
    OTHER,
    { kind: 'service', settings: SETTINGS, pods: new Map([['p:1', { limit: 2, unhealthy: false }]]) },
  ]);
  b.member.takeMessages();
  for (const event of b.member.receive({ kind: 'ack', sequence: 1000 }, 0, '')) sharing.record(event);
  holding(b, []);
  holding(a, [['p:1', 2]]);
  expect(grants(b)).toEqual([]);
});

test('without a register from before, those that had slots are waited for if somebody is back', async () => {
  const folder = newFolder();
  rmSync(join(folder, 'members.json'));
  const { clock, come, holding } = world({ folder });
  const a = come('a', '1', { stream: 4 });
  const b = come('b', '2');
  holding(a, []);
  holding(b, []);
  await clock.advance(2999);
  expect([...grants(a), ...grants(b)]).toEqual([]);
  await clock.advance(1);
  expect([...grants(a), ...grants(b)]).toHaveLength(2);
});

test('at the very first start nobody is waited for', () => {
  const folder = newFolder();
  rmSync(join(folder, 'members.json'));
  const { come, holding } = world({ folder });
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, []);
  holding(b, []);
  expect([...grants(a), ...grants(b)]).toHaveLength(2);
});

test('after a start the Envoy that had a node id goes before another one with the same', async () => {
  const before = world();
  const a = before.come('a', '1');
  const { clock, sharing } = world({ folder: before.folder });
  const twin = { ...a.hello, epoch: '9', process: 'another' };
  expect(sharing.refusal(twin)).toBe('the Envoy that had the node id a is waited for');
  expect(sharing.refusal(a.hello)).toBeUndefined();
  await clock.advance(3000);
  expect(sharing.refusal(twin)).toBeUndefined();
});

test('an operator says that an Envoy has ended for good', () => {
  const { sharing, come, holding, go } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  expect([sharing.forget('a'), sharing.forget('c')]).toEqual(['connected', 'unknown']);
  go(a);
  expect([sharing.forget('a'), grants(b)]).toEqual(['forgotten', ['codec p:1 0', 'codec p:1 0']]);
  expect(sharing.problems()).toEqual([]);
});

test('nobody is left without a slot where there are enough: the one that has the most gives one while nobody waits', () => {
  const { come, holding, changes } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  const recalls = a.said.flatMap((message) =>
    message.kind === 'slots' ? message.changes.filter(({ kind }) => kind === 'recall') : [],
  );
  expect(recalls.at(-1)).toEqual({ kind: 'recall', service: CODEC, pod: 'p:1', slots: 1 });
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect([grants(a), grants(b)]).toEqual([[], ['codec p:1 0']]);
});

test('slots of jobs that go on without their filter are not given to others', () => {
  const { sharing, jobs, come, holding, go } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  go(a);
  // One of its two slots has a job, which its pod still names.
  jobs.ofEnded.set('a', 1);
  expect([sharing.forget('a'), grants(b)]).toEqual(['forgotten', ['codec p:1 0']]);
  jobs.orphans = 0;
  sharing.recordJobs();
  expect(grants(b)).toEqual(['codec p:1 0', 'codec p:1 0']);
});

test('no slot of a pod is made before it is known which jobs it has', () => {
  const { sharing, jobs, come, holding } = world();
  jobs.known = false;
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 1]]);
  holding(b, []);
  expect([...grants(a), ...grants(b)]).toEqual([]);
  const recalls = a.said.filter((message) => message.kind === 'slots');
  expect(recalls.flatMap(({ changes }) => changes.filter(({ kind }) => kind === 'recall'))).toEqual([
    { kind: 'recall', service: CODEC, pod: 'p:1', slots: 0 },
  ]);
  jobs.known = true;
  sharing.recordJobs();
  expect(grants(b)).toEqual(['codec p:1 0']);
});

test('no slot of an Envoy that has ended is made before its pods were asked for jobs', () => {
  const { sharing, jobs, come, holding, go } = world();
  const a = come('a', '1');
  const b = come('b', '2');
  holding(a, [['p:1', 2]]);
  holding(b, []);
  go(a);
  jobs.known = false;
  expect([sharing.forget('a'), grants(b)]).toEqual(['forgotten', []]);
  jobs.known = true;
  sharing.recordJobs();
  expect(grants(b)).toEqual(['codec p:1 0', 'codec p:1 0']);
});

const p1 = new Set(['p:1']);
const waits = (service: string, request: number, age: number) =>
  ({ kind: 'waits', service, request, age, pod: undefined }) as const;
const grantsOf = (said: readonly CoordinatorMessage[]) =>
  said.flatMap((each) => (each.kind === 'grant' ? [`${each.service} ${each.pod} ${each.request}`] : []));

test('the filter of another Sluice shares with the one that is here, and is told that it is away when its stream is over', async () => {
  const { come, comeBy, holding, sharing, clock } = world();
  const a = come('a', '1');
  expect(kinds(a)).toEqual(['welcome', 'service']);
  const b = comeBy('sluice-2', 'b', new Map([[CODEC, p1]]));
  expect(kinds(a)).toContain('share');
  expect(b.said[0]).toMatchObject({ kind: 'welcome' });
  holding(a, [['p:1', 2]]);
  sharing.tell(b.peer, { kind: 'holding', services: [], isComplete: true });
  expect(sharing.state().members.map(({ node, via }) => [node, via])).toEqual([
    ['a', undefined],
    ['b', 'sluice-2'],
  ]);
  expect(b.lacks).toEqual([]);
  expect(sharing.left(b.peer)).toBe(true);
  await clock.advance(5000);
  expect(sharing.problems().map(({ message }) => message)).toEqual([
    expect.stringMatching(/^has lost its connection \(it came by sluice-2\)/),
  ]);
  expect(sharing.problems()[0]?.fix).toMatch(/^look first whether the Sluice on sluice-2, .* sluice forget b$/);
});

test('the newest stream of a filter counts, whichever Sluice it comes by', () => {
  const { come, comeBy, go, sharing } = world();
  come('a', '1');
  const old = come('b', '1', { process: 'b-1' });
  const { peer, ends } = comeBy('sluice-2', 'b', new Map([[CODEC, p1]]));
  expect(sharing.isHere({ node: 'b', epoch: '1' })).toBe(false);
  // That its old stream is over says nothing any more.
  go(old);
  expect(sharing.state().members.find(({ node }) => node === 'b')).toMatchObject({ awaySince: undefined });
  expect(sharing.refusalOfRelayed({ ...peer.hello, stream: 0 })).toBe('the filter has a newer stream');
  const next = comeBy('sluice-3', 'b', new Map());
  expect([ends.length, next.ends.length]).toEqual([1, 0]);
  expect(sharing.left(peer)).toBe(false);
});

test('who waits for a service that only the other Sluice has gets a slot of a pod that is known here, when it is older', () => {
  const { come, comeBy, holding, changes, sharing, pod } = world();
  sharing.follow([pod(CODEC, 1)]);
  const a = come('a', '1');
  const b = comeBy('sluice-2', 'b', new Map([[OTHER, p1]]));
  holding(a, [['p:1', 1]]);
  sharing.tell(b.peer, { kind: 'holding', services: [], isComplete: true });
  expect(b.lacks).toEqual([[OTHER]]);
  sharing.tell(b.peer, { kind: 'changes', changes: [waits(OTHER, 7, 500), waits(OTHER, 8, 100)] });
  changes(a, waits(CODEC, 1, 300));
  // Its slot is called back for the one that is older; there is none before that.
  const recalls = a.said.flatMap((said) =>
    said.kind === 'slots' ? said.changes.filter(({ kind }) => kind === 'recall') : [],
  );
  expect(recalls.at(-1)).toMatchObject({ pod: 'p:1', slots: 1 });
  expect(grantsOf(b.said)).toEqual([]);
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect(grantsOf(b.said)).toEqual(['other p:1 7']);
  // Now the oldest waits here.
  sharing.tell(b.peer, { kind: 'changes', changes: [{ kind: 'released', service: OTHER, pod: 'p:1' }] });
  expect(grants(a)).toEqual(['codec p:1 1']);
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect(grantsOf(b.said)).toEqual(['other p:1 7', 'other p:1 8']);
  sharing.tell(b.peer, { kind: 'changes', changes: [{ kind: 'released', service: OTHER, pod: 'p:1' }] });
  // Nobody waits: it is of the service that is here.
  expect(grants(a)).toEqual(['codec p:1 1', 'codec p:1 0']);
});

test('a service that only the other Sluice has is told on both sides after a while, until it is here', async () => {
  const { come, comeBy, clock, sharing, pod } = world();
  come('a', '1');
  const { lacks } = comeBy('sluice-2', 'b', new Map([[OTHER, new Set(['q:1'])]]));
  expect(lacks).toEqual([[OTHER]]);
  expect(sharing.problems()).toEqual([]);
  await clock.advance(3000);
  expect(sharing.problems()).toMatchObject([{ severity: 'warning', subject: 'service other' }]);
  sharing.follow([pod(CODEC), { name: OTHER, limits: new Map([['q:1', 1]]) }]);
  expect(lacks).toEqual([[OTHER], []]);
  expect(sharing.problems()).toEqual([]);
});

test('a service that leaves and has given its slots up to another one gets none while that one has them', () => {
  const { come, comeBy, holding, changes, sharing, pod } = world();
  sharing.follow([pod(CODEC, 1)]);
  const a = come('a', '1');
  const b = comeBy('sluice-2', 'b', new Map([[OTHER, p1]]));
  holding(a, [['p:1', 1]]);
  sharing.tell(b.peer, { kind: 'holding', services: [], isComplete: true });
  sharing.tell(b.peer, { kind: 'changes', changes: [waits(OTHER, 7, 500)] });
  changes(a, { kind: 'released', service: CODEC, pod: 'p:1' });
  expect(grantsOf(b.said)).toEqual(['other p:1 7']);
  // Its new name arrives here, while the request runs that came by it.
  sharing.follow([pod(OTHER, 1)]);
  changes(a, waits(CODEC, 1, 300));
  expect(grants(a)).toEqual([]);
  sharing.tell(b.peer, { kind: 'changes', changes: [{ kind: 'released', service: OTHER, pod: 'p:1' }] });
  expect(grants(a)).toEqual(['codec p:1 1']);
});

test('that nobody waits elsewhere any more is told a second later, or with what comes next', async () => {
  const { clock, come, holding, changes } = world();
  const filters = ['a', 'b', 'c', 'd'].map((node) => come(node, '1'));
  for (const filter of filters) holding(filter, []);
  await clock.advance(1000);
  const holders = filters.filter(({ said }) => slotsSaid(said).some(({ kind }) => kind === 'grant'));
  expect(holders.length).toBe(2);
  const poor = filters.find((each) => !holders.includes(each));
  if (poor === undefined) throw new Error('four share two slots');
  const forget = () => {
    for (const { said } of filters) said.length = 0;
  };
  forget();
  changes(poor, { kind: 'waits', service: CODEC, request: 1, age: 0 });
  for (const { said } of holders) expect(slotsSaid(said)).toMatchObject([{ kind: 'oldest elsewhere', age: 0 }]);
  forget();
  // It has left: nobody waits.
  changes(poor, { kind: 'left', service: CODEC, request: 1 });
  await clock.advance(900);
  for (const { said } of filters) expect(slotsSaid(said)).toEqual([]);
  // Whoever comes next is younger than the one that they think of: there is nothing to say.
  changes(poor, { kind: 'waits', service: CODEC, request: 2, age: 0 });
  for (const { said } of filters) expect(slotsSaid(said)).toEqual([]);
  changes(poor, { kind: 'left', service: CODEC, request: 2 });
  await clock.advance(1000);
  for (const { said } of holders) expect(slotsSaid(said)).toMatchObject([{ kind: 'oldest elsewhere', age: undefined }]);
});

function slotsSaid(said: readonly ToFilter[]) {
  return said.flatMap((message) => (message.kind === 'slots' ? message.changes : []));
}

test('the coordinator has one timer, however many requests come and go', async () => {
  const { clock, sharing, pod, comeBy } = world();
  const names = Array.from({ length: 40 }, (_, i) => `service-${i}` as ServiceName);
  sharing.follow(names.map((name) => pod(name, 6)));
  const usable = new Map(names.map((name) => [name, new Set(['p:1'])]));
  const peers = Array.from({ length: 6 }, (_, i) => comeBy('other', `e${i}`, usable).peer);
  const held = names.map((service) => ({ service, held: [['p:1', 1]] as const, waiting: [] }));
  for (const peer of peers) sharing.tell(peer, { kind: 'holding', services: held, isComplete: true });
  await clock.advance(3000);
  const before = clock.pending;
  for (let request = 1; request <= 400; request++) {
    const [peer, service] = [peers[request % peers.length], names[request % names.length]];
    if (peer === undefined || service === undefined) throw new Error('there are six and forty');
    sharing.tell(peer, { kind: 'changes', changes: [{ kind: 'waits', service, request, age: 0 }] });
    await clock.advance(3);
    sharing.tell(peer, { kind: 'changes', changes: [{ kind: 'left', service, request }] });
    await clock.advance(1);
  }
  expect(clock.pending).toBeLessThanOrEqual(before + 1);
});
