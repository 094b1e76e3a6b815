import { expect, onTestFinished, test } from 'vitest';
import { statusSchema } from '../../../src/status/status.ts';
import { until } from '../kit/instant.ts';
import { type Queue, startQueue } from '../queue/queue.ts';

/** Sends so many at once; how many were answered well. */
async function ask({ sluice: { port } }: Queue, count: number): Promise<number> {
  const one = () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text().then(() => answer.status));
  const answers = await Promise.all(Array.from({ length: count }, one));
  return answers.filter((status) => status === 200).length;
}

async function counted(admin: unknown): Promise<number> {
  const response = await fetch(`${admin}/status`);
  const [service] = statusSchema.parse(await response.json()).services;
  return service?.kind === 'limited' ? (service.traffic?.total.answered ?? 0) : 0;
}

test('a control plane that hangs: no request waits for it, and later it has counted every one', async () => {
  const queue = await startQueue({ pods: 2, limit: 10 });
  const { pid = Number.NaN, log } = queue.sluice.process;
  const admin = log.find(({ msg }) => msg === 'serving')?.fields['admin'];
  expect(await ask(queue, 5)).toBe(5);
  await until(async () => (await counted(admin)) === 5, { what: 'the first report' });
  process.kill(pid, 'SIGSTOP');
  const goOn = () => process.kill(pid, 'SIGCONT');
  onTestFinished(() => {
    goOn();
  });
  for (let sent = 0; sent < 2000; sent += 40) expect(await ask(queue, 40)).toBe(40);
  goOn();
  await until(async () => (await counted(admin)) === 2005, { what: 'all to be counted', every: 300, within: 30_000 });
});
