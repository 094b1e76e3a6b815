import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, inject, type TestContext, test } from 'vitest';
import { Certificates } from '../e2e/kit/certificates.ts';
import { instant, pause, until } from '../e2e/kit/instant.ts';
import { type LoadResult, type LoadRun, startLoad } from '../e2e/kit/load.ts';
import { burst, type Planned, poisson, rateFor } from '../e2e/kit/load-plan.ts';
import { exponential, fixed } from '../e2e/kit/random.ts';
import { fifoOrder, overLimit } from '../e2e/kit/verdict.ts';
import { TestCluster } from './kit/cluster.ts';
import { TestNamespace } from './kit/namespace.ts';
import { type Pair, Pairs } from './kit/pairs.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** How long API servers are away; SLUICE_KUBE_OUTAGE_MS makes it shorter. */
const OUTAGE_MS = Number(process.env['SLUICE_KUBE_OUTAGE_MS'] ?? 60_000);

const LIMIT = 1;
const PODS = 4;
const SLOTS = PODS * LIMIT;
const WORK_MS = 50;
/** Of what the pods can do. */
const SHARE = 0.9;

/** So many tests run at a time: each has two Sluices, two Envoys and a load. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves when there is one; what it resolves to gives it back. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
  }
}

const places = new Places(2);

/** A load over all pairs that take requests, as a Service spreads it. */
class Load {
  readonly #run: LoadRun;
  readonly #sentTo = new Map<string, Pair>();
  readonly #title: string;
  readonly #set: Pairs;

  constructor(
    title: string,
    set: Pairs,
    { forMs, share = SHARE, more = [] }: { forMs: number; share?: number; more?: readonly Planned[] },
  ) {
    this.#title = title;
    this.#set = set;
    // Each request costs its slot about 2 ms more than its work.
    const perSecond = rateFor(share, SLOTS, WORK_MS + 2);
    const count = Math.round((perSecond * forMs) / 1000);
    const plan = [...poisson(count, perSecond, { work: exponential(WORK_MS), seed: 1 }), ...more];
    let next = 0;
    const send = async (request: Planned): Promise<LoadResult> => {
      const open = set.all.filter(({ takes }) => takes);
      const pair = open[next++ % open.length];
      if (pair === undefined) throw new Error('no pair takes requests');
      this.#sentTo.set(request.id, pair);
      return await pair.client.send(request);
    };
    this.#run = startLoad({ send, close: () => {} }, plan);
  }

  /** All has ended, and nothing went wrong but what `explains` explains: the pods never had more than the limit. */
  async judge(explains: (result: LoadResult, pair: Pair | undefined) => boolean = () => false): Promise<void> {
    const results = await this.#run.results;
    const requests = await this.#set.pods.requests();
    const bad = results.filter(({ status }) => status !== 200);
    const unexplained = bad.filter((result) => !explains(result, this.#sentTo.get(result.id)));
    const order = fifoOrder(results, requests);
    const late = results.map(({ sent, ended }) => ended - sent).sort((a, b) => a - b);
    console.log(
      `${this.#title}: ${results.length} requests, ${bad.length} without a good answer, ${order.overtaken} overtaken by ${order.worstMs.toFixed(0)} ms at most; p50 ${late[late.length >> 1]?.toFixed(0)} ms, worst ${late.at(-1)?.toFixed(0)} ms`,
    );
    expect(overLimit(requests, LIMIT).excesses.slice(0, 3)).toEqual([]);
    expect(
      unexplained
        .slice(0, 5)
        .map(({ id, status, error, body }) => `${id}: ${status} ${error ?? ''} ${body.slice(0, 200)}`),
    ).toEqual([]);
  }
}

describe.skipIf(WHY_NOT !== undefined).concurrent(named('pairs of Sluice and Envoy'), { timeout: 900_000 }, () => {
  let cluster: TestCluster;
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });

  /** A test's own pods and pairs, once there is a place for them. */
  async function pairs(
    { onTestFinished }: TestContext,
    network: string,
    count: number,
    on: () => Promise<TestCluster> = async () => cluster,
  ): Promise<Pairs> {
    const leave = await places.take();
    onTestFinished(leave);
    const set = await Pairs.make(await TestNamespace.make(await on()), network, { count: PODS, limit: LIMIT });
    onTestFinished(() => set.stop());
    await Promise.all(Array.from({ length: count }, () => set.add()));
    return set;
  }

  /** Waits until all slots can be used through each of the pairs. */
  async function untilAllSlots(set: Pairs): Promise<void> {
    for (const pair of set.all)
      await until(async () => (await slotsInUse(set, pair, `${pair.name}-${instant()}`)) === SLOTS, {
        what: `all slots through ${pair.name}`,
        within: 30_000,
      });
  }

  /** Requests for all slots; resolves to how many of them pods work on after a moment. */
  async function slotsInUse(set: Pairs, through: Pair, id: string): Promise<number> {
    const jobs = startLoad(through.client, burst(SLOTS, { name: id, work: fixed(4000) }));
    await pause(3000);
    const held = await set.pods.held();
    await jobs.results;
    return held;
  }

  async function other(set: Pairs, pair: Pair): Promise<Pair> {
    const found = set.all.find((each) => each !== pair);
    if (found === undefined) throw new Error('there is only one pair');
    return found;
  }

  async function follower(set: Pairs): Promise<Pair> {
    return await other(set, await set.coordinator());
  }

  test('two of them: one coordinates, all slots are used, no pod gets more than its limit', async (context) => {
    const set = await pairs(context, '10.244.90', 2);
    const first = await set.coordinates();
    expect(await set.members()).toEqual(['pair-0', 'pair-1']);
    const { body } = await cluster.ask('GET', set.space.path('secrets/sluice'));
    expect(Object.keys(body.data).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
    const load = new Load('two pairs', set, { forMs: 10_000 });
    await load.judge();
    expect(await set.coordinates()).toEqual(first);
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
  });

  test('an order to any of them holds for all, also once another one coordinates', async (context) => {
    const set = await pairs(context, '10.244.89', 2);
    const coordinator = await set.coordinator();
    const follower = await other(set, coordinator);
    const paused = async (pair: Pair) => (await pair.status()).orders.map(({ kind }) => kind).join();
    await until(async () => (await follower.status()).follows?.state === 'connected', {
      what: 'the link',
      within: 20_000,
    });
    expect(await follower.order('pause?service=codec')).toContain('It holds for the Envoys of all Sluices that share.');
    for (const pair of set.all)
      await until(async () => (await paused(pair)) === 'paused', { what: `the order at ${pair.name}`, within: 10_000 });
    await coordinator.killSluice();
    await until(async () => (await set.coordinator()) === follower, {
      what: 'the other to coordinate',
      within: 20_000,
    });
    await coordinator.startSluice();
    await until(async () => (await coordinator.status()).follows?.state === 'connected', {
      what: 'the link',
      within: 20_000,
    });
    expect([await paused(coordinator), await paused(follower)]).toEqual(['paused', 'paused']);
    const waiting = startLoad(coordinator.client, burst(SLOTS, { name: 'paused', work: fixed(50) }));
    await pause(1000);
    expect(await set.pods.held()).toBe(0);
    expect(await coordinator.order('resume?service=codec')).toContain('codec is resumed.');
    expect((await waiting.results).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await paused(follower)).toBe('');
  });

  test('the coordinator is killed with its Envoy: the other takes over; its slots are back once its Pod is gone, not before', async (context) => {
    const set = await pairs(context, '10.244.91', 2);
    const victim = await set.coordinator();
    const heir = await other(set, victim);
    const before = await set.coordinates();
    // Each has two slots when the coordinator dies.
    const dying = startLoad(victim.client, burst(2, { name: 'dying', work: fixed(3000) }));
    const living = startLoad(heir.client, burst(2, { name: 'living', work: fixed(3000) }));
    await until(async () => (await set.pods.held()) === SLOTS, { what: 'four jobs', within: 10_000 });
    victim.takes = false;
    const killed = instant();
    victim.signalSluice('SIGKILL');
    await victim.killEnvoy();
    // Of its two slots one may have been on the way to the coordinator.
    const load = new Load('coordinator killed', set, { forMs: 12_000, share: 0.2 });
    await until(async () => (await set.coordinator()) === heir, { what: 'the other to coordinate', within: 20_000 });
    console.log(`the other coordinates ${(instant() - killed).toFixed(0)} ms after`);
    expect((await set.coordinates())?.term).toBeGreaterThan(before?.term ?? 0);
    await load.judge();
    expect((await living.results).map(({ status }) => status)).toEqual([200, 200]);
    expect((await dying.results).map(({ status }) => status)).toEqual([0, 0]);
    const missing = SLOTS - (await slotsInUse(set, heir, 'dead'));
    expect(missing).toBeGreaterThanOrEqual(2);
    const removed = instant();
    await victim.removePod();
    await until(async () => (await slotsInUse(set, heir, `gone-${instant()}`)) === SLOTS, {
      what: 'all slots to be back',
      within: 30_000,
      every: 100,
    });
    console.log(`${missing} slots were back at most ${(instant() - removed).toFixed(0)} ms after the Pod was gone`);
    expect(await set.members()).toEqual([heir.name]);
    expect(overLimit(await set.pods.requests(), LIMIT)).toMatchObject({ times: 0 });
  });

  test('the Sluice of the coordinator alone is killed, and started again in its Pod: it goes on at once', async (context) => {
    const set = await pairs(context, '10.244.92', 2);
    const victim = await set.coordinator();
    const before = await set.coordinates();
    const load = new Load('Sluice of the coordinator killed and started again', set, { forMs: 12_000 });
    await pause(1500);
    await victim.killSluice();
    await pause(1000);
    await victim.startSluice();
    await load.judge();
    const after = await set.coordinates();
    expect(after?.term).toBeGreaterThan(before?.term ?? 0);
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
  });

  test('the coordinator is frozen until another one has taken over, and wakes: two at once, and nothing over the limit', async (context) => {
    const set = await pairs(context, '10.244.93', 3);
    const victim = await set.coordinator();
    const load = new Load('coordinator frozen and woken', set, { forMs: 22_000 });
    await pause(1500);
    victim.signalSluice('SIGSTOP');
    await until(async () => (await set.coordinator()) !== victim, { what: 'another coordinator', within: 20_000 });
    await pause(3000);
    victim.signalSluice('SIGCONT');
    await load.judge();
    expect(await set.coordinator()).not.toBe(victim);
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
  });

  test('a Pod whose Envoy is frozen keeps its slots, and gives them back when it wakes', async (context) => {
    const set = await pairs(context, '10.244.94', 2);
    const coordinator = await set.coordinator();
    const victim = await other(set, coordinator);
    const load = new Load('an Envoy is frozen and wakes', set, { forMs: 10_000 });
    await pause(1500);
    process.kill(victim.envoy.pid, 'SIGSTOP');
    await pause(4000);
    process.kill(victim.envoy.pid, 'SIGCONT');
    await load.judge();
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
  });

  test('an Envoy is killed and started again in its Pod: its slots are back when its filter has connected', async (context) => {
    const set = await pairs(context, '10.244.89', 2);
    for (const victim of [await other(set, await set.coordinator()), await set.coordinator()]) {
      const dying = startLoad(victim.client, burst(2, { name: `dying-${victim.name}`, work: fixed(3000) }));
      await until(async () => (await set.pods.held()) === 2, { what: 'two jobs', within: 10_000 });
      await victim.killEnvoy();
      expect((await dying.results).map(({ status }) => status)).toEqual([0, 0]);
      await victim.startEnvoy();
      await victim.serves();
      for (const pair of set.all) expect(await slotsInUse(set, pair, `${victim.name}-${pair.name}`)).toBe(SLOTS);
    }
    expect(overLimit(await set.pods.requests(), LIMIT)).toMatchObject({ times: 0 });
  });

  test('certificates from files: who has the name of the Lease takes part, who has another one gets no slot', async (context) => {
    const certificates = await Certificates.make('ca');
    context.onTestFinished(() => certificates.remove());
    await certificates.sign('good', 'DNS:sluice');
    await certificates.sign('other', 'DNS:elsewhere');
    const files = (name: string) => [
      ...['--peers-cert', certificates.at(`${name}.crt`), '--peers-key', certificates.at(`${name}.key`)],
      ...['--peers-ca', certificates.at('ca.crt')],
    ];
    const set = await pairs(context, '10.244.84', 0);
    const first = await set.add(files('good'));
    await set.add(files('good'));
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
    expect(await set.coordinator()).toBe(first);
    const stranger = await set.begin(files('other'));
    const told = async () => (await stranger.status()).problems.map(({ message }) => message).join('\n');
    await until(async () => /does not share slots|does not answer/.test(await told()), {
      what: 'the refusal to be told',
      within: 20_000,
    });
    // So a rolling update would stop at it.
    expect(await Promise.all(set.all.map((pair) => pair.isReady()))).toEqual([true, true, false]);
    const { shared } =
      (await first.status()).services.flatMap((service) => (service.kind === 'limited' ? [service] : []))[0] ?? {};
    expect(shared?.held.map(({ node }) => node)).toEqual(['pair-0', 'pair-1']);
  });

  test('a rolling update of both with long jobs: no gap, nothing over the limit, nothing lost', async (context) => {
    const set = await pairs(context, '10.244.95', 2);
    const old = [...set.all];
    const jobs = burst(2, { name: 'job', work: fixed(9000) });
    const load = new Load('rolling update', set, { forMs: 45_000, more: jobs });
    await pause(1000);
    const ending: Promise<void>[] = [];
    // maxSurge 1, maxUnavailable 0; one that terminates does not count.
    for (const pair of old) {
      await set.add();
      ending.push(pair.terminate());
    }
    await Promise.all(ending);
    await load.judge();
    const now = set.all.map(({ name }) => name);
    expect(now).toEqual(['pair-2', 'pair-3']);
    await until(async () => (await set.members()).join() === now.join(), { what: 'the members', within: 15_000 });
    for (const pair of set.all) expect(await slotsInUse(set, pair, pair.name)).toBe(SLOTS);
  });

  test('one pair, three, and one again', async (context) => {
    const set = await pairs(context, '10.244.96', 1);
    const [first] = set.all;
    const load = new Load('1 → 3 → 1', set, { forMs: 40_000 });
    await pause(1000);
    const more = await Promise.all([set.add(), set.add()]);
    await pause(4000);
    for (const pair of set.all) expect(pair.sluice.exit).toBeUndefined();
    await Promise.all(more.map((pair) => pair.terminate()));
    await load.judge();
    expect(set.all).toEqual([first]);
    if (first === undefined) throw new Error('it was there');
    await until(async () => (await slotsInUse(set, first, `alone-${instant()}`)) === SLOTS, {
      what: 'all slots to be with the one that is left',
      within: 30_000,
    });
  });

  describe('the API server is down', () => {
    test('under load, for as long: nobody notices; a Sluice that is started again meanwhile changes nothing', async (context) => {
      const set = await pairs(context, '10.244.97', 2, async () => {
        const own = await TestCluster.start();
        context.onTestFinished(() => own.stop());
        return own;
      });
      const own = set.space.cluster;
      const coordinator = await set.coordinator();
      const follower = await other(set, coordinator);
      const load = new Load(`API server down for ${OUTAGE_MS / 1000} s`, set, { forMs: OUTAGE_MS + 20_000 });
      await pause(1000);
      await own.end('apiserver');
      await pause(OUTAGE_MS / 4);
      await follower.killSluice();
      await follower.startSluice();
      await pause(OUTAGE_MS / 4);
      await coordinator.killSluice();
      await coordinator.startSluice();
      await pause(OUTAGE_MS / 2);
      await own.startAgain('apiserver');
      await load.judge();
      await set.coordinator();
      await untilAllSlots(set);
      expect(overLimit(await set.pods.requests(), LIMIT)).toMatchObject({ times: 0 });
    });
  });

  describe('one way is cut', () => {
    const iptables = (...args: readonly string[]) => execFileSync('iptables', args, { stdio: 'pipe' });

    /** Nothing to, or from, the port at which this pair is reached by others; what is returned ends that. */
    function cut(way: 'to' | 'from', { address }: Pair): () => void {
      const ends = way === 'to' ? ['-d', address, '--dport', '18002'] : ['-s', address, '--sport', '18002'];
      const rule = ['-p', 'tcp', ...ends, '-j', 'DROP'];
      iptables('-A', 'OUTPUT', ...rule);
      return () => iptables('-D', 'OUTPUT', ...rule);
    }

    /** Something is wrong between this pair and the API server; what is returned ends that. */
    function disturb({ proxy }: Pair, kind: 'hang' | 'mute'): () => void {
      proxy.fault = { kind };
      return () => {
        proxy.fault = { kind: 'none' };
      };
    }

    test.for([
      ['from members to the coordinator', 98, async (set: Pairs) => cut('to', await set.coordinator())],
      ['from the coordinator to members', 99, async (set: Pairs) => cut('from', await set.coordinator())],
      ['from the coordinator to the API server', 85, async (set: Pairs) => disturb(await set.coordinator(), 'hang')],
      ['from the API server to the coordinator', 86, async (set: Pairs) => disturb(await set.coordinator(), 'mute')],
      ['from a member to the API server', 87, async (set: Pairs) => disturb(await follower(set), 'hang')],
      ['from the API server to a member', 88, async (set: Pairs) => disturb(await follower(set), 'mute')],
    ] as const)('%s, for 10 s', async ([what, network, inflict], context) => {
      const set = await pairs(context, `10.244.${network}`, 2);
      const load = new Load(`cut ${what}`, set, { forMs: 18_000 });
      await pause(1000);
      const mend = await inflict(set);
      await pause(10_000);
      mend();
      await load.judge();
      await set.coordinator();
      await untilAllSlots(set);
    });
  });
});
