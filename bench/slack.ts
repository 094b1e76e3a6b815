// What the exact order of a queue costs that several Envoys share, simulated with the very steps of members and coordinator: the
// time that a slot is on its way between two Envoys nobody works in it. `slack` lets an Envoy take its own first request where
// that is at most so much younger than the oldest elsewhere: fewer moves, less exact order.
// npm run bench:slack: prints the table, and writes it to docs/shared-slots.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Coordinator } from '../src/slots/coordinator.ts';
import { seeded } from '../test/e2e/kit/random.ts';
import { EnvoyNode } from '../test/slots/node.ts';

interface Scenario {
  readonly members: number;
  /** Longest way of a message between an Envoy and the coordinator, in milliseconds; it takes half of it at least. */
  readonly delay: number;
  /** Mean of the jobs, whose lengths are exponential. */
  readonly work: number;
  readonly slack: number;
}

interface Figures {
  /** Mean response, divided by that of one queue without any time lost. */
  readonly response: number;
  /** Time that a slot was free while somebody waited, for each request, in milliseconds. */
  readonly lost: number;
  /** Requests that started before an older one, and by how much at most, in milliseconds. */
  readonly overtook: number;
  readonly worst: number;
  readonly messages: number;
}

interface Job {
  readonly arrived: number;
  readonly work: number;
  started: number;
  ended: number;
}

const PODS = ['a', 'b', 'c', 'd'];
const REQUESTS = 20_000;
const LOAD = 0.9;

/** Things that happen, in the order of their times. */
class Agenda {
  now = 0;
  private readonly heap: { readonly at: number; readonly order: number; readonly act: () => void }[] = [];
  private count = 0;

  at(at: number, act: () => void): void {
    const heap = this.heap;
    const entry = { at, order: this.count++, act };
    let i = heap.push(entry) - 1;
    for (let up = (i - 1) >> 1; i > 0 && this.before(entry, heap[up]); i = up, up = (i - 1) >> 1) {
      [heap[i], heap[up]] = [heap[up] as typeof entry, entry];
    }
  }

  run(): void {
    for (let next = this.pop(); next !== undefined; next = this.pop()) {
      this.now = next.at;
      next.act();
    }
  }

  private pop() {
    const heap = this.heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child + 1 < heap.length && !this.before(heap[child], heap[child + 1])) child++;
      if (child >= heap.length || this.before(last, heap[child])) break;
      heap[i] = heap[child] as typeof last;
      i = child;
    }
    heap[i] = last;
    return first;
  }

  private before(x: { at: number; order: number } | undefined, y: { at: number; order: number } | undefined): boolean {
    if (x === undefined || y === undefined) return y === undefined;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }
}

/** Runs one scenario: `members` Envoys share four pods of limit 1 under 90 % load. */
export function run({ members, delay, work, slack }: Scenario): Figures {
  const random = seeded(7);
  const exponential = (mean: number) => -Math.log(1 - random()) * mean;
  const agenda = new Agenda();
  const coordinator = new Coordinator({ term: 1, lease: false });
  const services = [{ name: 'work', pods: PODS }];
  const nodes = Array.from({ length: members }, (_, i) => new EnvoyNode(`m${i}`, 1, services, slack));
  const jobs: Job[] = [];
  const atPlace = nodes.map(() => new Map<number, Job>());
  const lastSent = new Map<string, number>();
  let messages = 0;

  /** Messages of one way stay in order. */
  function send(way: string, act: () => void): void {
    const at = Math.max(agenda.now + delay * (0.5 + random() / 2), (lastSent.get(way) ?? 0) + 1e-9);
    lastSent.set(way, at);
    messages++;
    agenda.at(at, act);
  }

  function flush(): void {
    nodes.forEach((node, i) => {
      for (const message of node.takeMessages()) {
        send(`up ${i}`, () => {
          coordinator.hear(i, message, agenda.now);
          flush();
        });
      }
      for (const { place } of node.takeStarts()) begin(i, place);
    });
    for (const effect of coordinator.take()) {
      if (effect.kind === 'prove') throw new Error('a coordinator without a Lease needs no proof');
      if (effect.kind === 'wake') {
        agenda.at(effect.at, () => {
          coordinator.passed(agenda.now);
          flush();
        });
        continue;
      }
      const node = nodes[effect.connection] as EnvoyNode;
      send(`down ${effect.connection}`, () => {
        const answer = node.hear(1, effect.message, agenda.now);
        if (answer === 'hello') coordinator.hear(effect.connection, node.hello(1, agenda.now), agenda.now);
        flush();
      });
    }
  }

  function begin(i: number, place: number): void {
    const job = atPlace[i]?.get(place) as Job;
    job.started = agenda.now;
    agenda.at(agenda.now + job.work, () => {
      job.ended = agenda.now;
      atPlace[i]?.delete(place);
      nodes[i]?.end(place, agenda.now);
      flush();
    });
  }

  coordinator.expect(
    nodes.map((node) => node.key),
    [],
    0,
  );
  coordinator.configure(new Map([['work', new Map(PODS.map((pod) => [pod, 1]))]]), 0);
  nodes.forEach((node, i) => {
    coordinator.acknowledged(node.key, 'work', new Set(PODS), 0);
    node.open(0);
    coordinator.opened(i);
  });
  flush();
  let arrival = 100;
  for (let n = 0; n < REQUESTS; n++) {
    arrival += exponential(work / (PODS.length * LOAD));
    const job: Job = { arrived: arrival, work: exponential(work), started: 0, ended: 0 };
    const i = Math.floor(random() * members);
    jobs.push(job);
    agenda.at(arrival, () => {
      const node = nodes[i];
      if (node === undefined) return;
      // The request may start inside this call, so its place is known before `begin` looks for it.
      atPlace[i]?.set(node.arrive(0, agenda.now), job);
      flush();
    });
  }
  agenda.run();
  return { ...figures(jobs), messages: messages / REQUESTS };
}

function figures(jobs: readonly Job[]): Omit<Figures, 'messages'> {
  if (jobs.some(({ ended }) => ended === 0)) throw new Error('somebody was not served');
  const response = mean(jobs.map(({ arrived, ended }) => ended - arrived));
  const overtakings = jobs.map((job, i) => overtaken(job, jobs.slice(i + 1, i + 300)));
  return {
    response: response / idealResponse(jobs),
    lost: lostTime(jobs) / jobs.length,
    overtook: overtakings.filter((by) => by > 0).length,
    worst: Math.max(...overtakings),
  };
}

/** By how much younger the youngest is that started before this one. */
function overtaken(job: Job, younger: readonly Job[]): number {
  const before = younger.filter((other) => other.started < job.started);
  return Math.max(0, ...before.map((other) => Math.min(other.arrived - job.arrived, job.started - other.started)));
}

/** The mean response of one queue in front of all slots. */
function idealResponse(jobs: readonly Job[]): number {
  const free = PODS.map(() => 0);
  return mean(
    jobs.map(({ arrived, work }) => {
      const slot = free.indexOf(Math.min(...free));
      free[slot] = Math.max(free[slot] ?? 0, arrived) + work;
      return free[slot] - arrived;
    }),
  );
}

/** Milliseconds that slots were free while somebody waited for one. */
function lostTime(jobs: readonly Job[]): number {
  const events = jobs
    .flatMap(({ arrived, started, ended }) => [
      { at: arrived, waiting: 1, busy: 0 },
      { at: started, waiting: -1, busy: 1 },
      { at: ended, waiting: 0, busy: -1 },
    ])
    .sort((x, y) => x.at - y.at);
  let waiting = 0;
  let busy = 0;
  let lost = 0;
  events.forEach((event, i) => {
    waiting += event.waiting;
    busy += event.busy;
    const until = events[i + 1]?.at ?? event.at;
    lost += Math.max(0, Math.min(waiting, PODS.length - busy)) * (until - event.at);
  });
  return lost;
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function table(): string {
  const scenarios = [20, 100].flatMap((work) =>
    [
      [1, 0.5],
      [2, 0.1],
      [2, 0.5],
      [2, 5],
      [8, 0.1],
      [8, 0.5],
      [8, 5],
    ].flatMap(([members = 0, delay = 0]) =>
      (members === 1 ? [0] : [0, 5, 20]).map((slack): Scenario => ({ members, delay, work, slack })),
    ),
  );
  const rows = scenarios.map((scenario) => {
    const { members, delay, work, slack } = scenario;
    const { response, lost, overtook, worst, messages } = run(scenario);
    const share = `${((100 * overtook) / REQUESTS).toFixed(1)} %`;
    const cells = [members, `${delay} ms`, `${work} ms`, `${slack} ms`, `${response.toFixed(3)} ×`, lost.toFixed(2)];
    return `| ${[...cells, share, worst.toFixed(1), messages.toFixed(1)].join(' | ')} |`;
  });
  return [
    '| Envoys | a message takes up to | jobs | slack | mean response ÷ one queue | slot time lost, ms a request | overtaken | at most by, ms | messages a request |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

if (import.meta.main) {
  const page = fileURLToPath(new URL('../docs/shared-slots.md', import.meta.url));
  const text = readFileSync(page, 'utf8');
  const [begin, end] = ['<!-- measured: npm run bench:slack -->', '<!-- end of bench:slack -->'];
  const made = table();
  process.stdout.write(`${made}\n`);
  writeFileSync(
    page,
    text.replace(
      /<!-- measured: npm run bench:slack -->[\s\S]*<!-- end of bench:slack -->/,
      `${begin}\n${made}\n${end}`,
    ),
  );
}
