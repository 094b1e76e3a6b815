import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempFolder } from '../base/temp-folder.ts';
import { Burst } from './burst.ts';
import { startDemoPod } from './pods.ts';

/** Where the user can look. */
export interface DemoPlaces {
  /** URL of Sluice's own page. */
  readonly dashboard: string;
  /** The command that shows what Envoy knows. */
  readonly envoysView: string;
}

/** Three pods and a route file that leads to them. */
export interface Demo {
  /** Path of the route file. */
  readonly routes: string;
  /** Sends so many requests at once. */
  burst(count: number): void;
  /** What to tell the user once Envoy takes requests. */
  text(places: DemoPlaces): string;
  stop(): Promise<void>;
}

const POD_COUNT = 3;
const WORK_MS = 2000;

/** Starts the demo's pods and writes its route file; `port` is where Envoy will take requests, on loopback. */
export async function startDemo(port: number): Promise<Demo> {
  const pods = await Promise.all(
    Array.from({ length: POD_COUNT }, (_, index) =>
      startDemoPod({ name: `pod-${index + 1}`, host: '127.0.0.1', port: 0, workMs: WORK_MS }),
    ),
  );
  const made = makeTempFolder('sluice-demo-');
  if (!made.ok) throw new Error(made.errors.join());
  const folder = made.value;
  const routes = join(folder, 'routes.yaml');
  await writeFile(
    routes,
    routeFile(
      port,
      pods.map((pod) => pod.port),
    ),
  );
  const burst = new Burst(port);
  return {
    routes,
    burst: (count) => burst.send(count),
    text: (places) => text({ port, routes, ...places }),
    async stop() {
      burst.stop();
      // Ctrl-C means now.
      await Promise.all(pods.map((pod) => pod.stop(0)));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function routeFile(port: number, podPorts: readonly number[]): string {
  return `# The demo's route file. Change it while the demo runs: it is active at once.
version: 1
listen:
  address: 127.0.0.1
  port: ${port}
services:
  demo:
    static:
${podPorts.map((podPort) => `      - 127.0.0.1:${podPort}`).join('\n')}
    limit: 1          # requests one pod may work on at a time; the rest wait in the queue
    queue: {max: 100}
routes:
  - match: {prefix: /}
    service: demo
`;
}

function text({ port, routes, dashboard, envoysView }: DemoPlaces & { port: number; routes: string }): string {
  const url = `http://127.0.0.1:${port}/`;
  return `
  Sluice is up: ${POD_COUNT} demo pods, each works on 1 request at a time, for ${WORK_MS / 1000} s.

  Requests go to    ${url}
  Watch them at     ${dashboard}
  The route file    ${routes}
  Envoy's view      ${envoysView}

  Send nine requests at once; three are worked on at a time, six wait in the queue:

    for i in 1 2 3 4 5 6 7 8 9; do curl -s -w '  answered after %{time_total} s\\n' ${url} & done; wait

  Ctrl-C ends everything.

`;
}
