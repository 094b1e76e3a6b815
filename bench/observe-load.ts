import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is sent, and where to. */
export interface Load {
  readonly port: number;
  readonly rate: number;
  readonly seconds: number;
  /** The path of the request that is sent after so many others. */
  readonly path: (sent: number) => string;
  /** Called for each answer of 200. */
  readonly onAnswer?: () => void;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4000 });

/** Sends a load and waits for the answers; how many of them were 200. */
export async function sendLoad({ port, rate, seconds, path, onAnswer }: Load): Promise<number> {
  const began = performance.now();
  let [sent, done, answered] = [0, 0, 0];
  while (performance.now() - began < seconds * 1000) {
    for (const due = ((performance.now() - began) / 1000) * rate; sent < due; sent++) {
      const ended = () => done++;
      get({ host: '127.0.0.1', port, path: path(sent), agent }, (response) => {
        if (response.statusCode === 200) {
          answered++;
          onAnswer?.();
        }
        response.resume().on('close', ended);
      }).on('error', ended);
    }
    await sleep(5);
  }
  while (done < sent) await sleep(5);
  return answered;
}

/** Starts what answers for all pods, on every address of the machine, after so long; resolves to its port. */
export async function startPods(workMs: number): Promise<number> {
  const pods = createServer((_, response) => void setTimeout(() => response.end('x'), workMs));
  await new Promise<void>((resolve) => pods.listen(0, '0.0.0.0', resolve));
  const bound = pods.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('the pods listen on no port');
  return bound.port;
}

/** CPU time that all threads of a process have used, in milliseconds (finer than the 10 ms of /proc/PID/stat). */
export function cpuMs(pid: number | undefined): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** How large a control plane of a bench is: so many services of so many pods. */
export interface Size {
  readonly services: number;
  readonly pods: number;
}

/** Writes a route file with services of limit 1, each at a prefix of its name; answers its path. */
export function writeRouteFile(
  folder: string,
  { services: count, pods }: Size,
  { port, podPort, keys = {} }: { readonly port: number; readonly podPort: number; readonly keys?: object },
): string {
  const names = Array.from({ length: count }, (_, index) => `svc-${index}`);
  const services = names.map((name, index) => {
    const addresses = Array.from({ length: pods }, (_, pod) => `127.1.${index}.${pod + 1}:${podPort}`);
    return [name, { static: addresses, limit: 1, queue: { max: 1000 } }] as const;
  });
  const routes = names.map((name) => ({ match: { prefix: `/${name}` }, service: name }));
  const file = join(folder, `${port}.yaml`);
  const listen = { address: '127.0.0.1', port };
  writeFileSync(file, JSON.stringify({ version: 1, listen, ...keys, services: Object.fromEntries(services), routes }));
  return file;
}
