import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from '../../../test/e2e/kit/instant.ts';
import { freePort } from '../../../test/e2e/kit/ports.ts';
import { findProgram, InstalledProgram } from './installed.ts';
import { listening } from './listening.ts';
import type { Opponent, OpponentKind, Setup } from './opponent.ts';
import { fillTemplate, replaceFile } from './template.ts';

/** Slots of the server-template: pods that may be known at the same time, those that have left included. */
const SLOTS = 40;

/** HAProxy as a queue in front of limited servers: what Sluice is measured against. */
export const haproxy: OpponentKind = {
  name: 'haproxy',
  title: 'HAProxy',
  about:
    'HAProxy with `maxconn` at each server, `leastconn` and one queue, one thread; it learns of pods by its Runtime API.',
  missing: async () => ((await findProgram('haproxy')) === undefined ? 'haproxy is not installed' : undefined),
  start,
};

/** The lowest goes first. Turns of tenants it does not know. */
const CLASSES = `http-request set-priority-class int(-1) if { req.hdr(x-priority) high }
    http-request set-priority-class int(1) if { req.hdr(x-priority) low }`;

async function start({ pods, limit, protocol, order, folder }: Setup): Promise<Opponent> {
  const port = await freePort();
  const socket = join(folder, 'haproxy.sock');
  const config = join(folder, 'haproxy.cfg');
  const values = {
    PORT: port,
    SOCKET: socket,
    LIMIT: limit,
    SLOTS,
    PRIORITY: order === 'priority' ? CLASSES : '',
    CLIENT_PROTOCOL: protocol === 'http1' ? '' : 'proto h2',
    SERVER_PROTOCOL: protocol === 'http1' ? '' : 'proto h2',
  };
  await replaceFile(config, await fillTemplate('haproxy.cfg', values));
  const program = new InstalledProgram((await findProgram('haproxy')) ?? 'haproxy', ['-f', config, '-db']);
  await listening(port, () => program.said);
  // Gets its name only when all of HAProxy's sockets are bound.
  await until(() => existsSync(socket), { what: socket, within: 5000, every: 5 });
  const slots = new HaproxySlots(socket);
  await slots.set(pods);
  return {
    port,
    processes: () => ({ proxy: [program.pid], controlPlane: [] }),
    setPods: (next) => slots.set(next),
    stop: () => program.stop(),
  };
}

/** Which slot of the server-template stands for which pod. A pod that comes back gets its old one. */
class HaproxySlots {
  readonly #socket: string;
  readonly #numbers = new Map<string, number>();
  #current: readonly string[] = [];

  constructor(socket: string) {
    this.#socket = socket;
  }

  async set(pods: readonly string[]): Promise<void> {
    const added = pods.filter((pod) => !this.#current.includes(pod)).map((pod) => this.#ready(pod));
    const removed = this.#current.filter((pod) => !pods.includes(pod)).map((pod) => this.#drain(pod));
    this.#current = pods;
    // One by one: between two of them HAProxy can give the new server what waits.
    for (const command of [...added, ...removed]) await runtimeApi(this.#socket, command);
  }

  #ready(pod: string): string {
    const known = this.#numbers.get(pod);
    const number = known ?? this.#numbers.size + 1;
    if (number > SLOTS) throw new Error(`haproxy.cfg has ${SLOTS} slots, and ${pod} is one more`);
    this.#numbers.set(pod, number);
    const [address, port] = pod.split(':');
    const place = known === undefined ? `set server pods/pod${number} addr ${address} port ${port}; ` : '';
    return `${place}set server pods/pod${number} state ready`;
  }

  #drain(pod: string): string {
    return `set server pods/pod${this.#numbers.get(pod)} state drain`;
  }
}

async function runtimeApi(path: string, command: string): Promise<void> {
  const socket = connect(path);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  socket.write(`${command}\n`);
  await once(socket, 'close');
  if (/no such|unknown|invalid|require|can't|cannot/i.test(answer)) throw new Error(`HAProxy's Runtime API: ${answer}`);
}
