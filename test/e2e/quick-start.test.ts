import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { until } from './kit/instant.ts';
import { freePorts, isListening } from './kit/ports.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'sluice-quick-start-'));
const processes: ChildProcess[] = [];
afterAll(() => {
  for (const { pid, exitCode } of processes) if (exitCode === null && pid !== undefined) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** The commands of a section of the page, block by block. */
function blocks(section: number): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs/quick-start.md'), 'utf8');
  const text = page.split(/^## /m)[section] ?? '';
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
}

/** Someone's terminal: it runs what is typed, one thing after the other. */
class Terminal {
  output = '';
  readonly #shell: ChildProcess;
  #typed = 0;

  constructor() {
    this.#shell = spawn('bash', ['--norc'], { cwd: folder, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    processes.push(this.#shell);
    for (const stream of [this.#shell.stdout, this.#shell.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    // As in a terminal, where `kill %1` ends the first job.
    this.#shell.stdin?.write('set -m\n');
  }

  /** What a block prints, and the exit code of its last command. */
  async type(block: string): Promise<{ readonly code: number; readonly output: string }> {
    this.#typed += 1;
    const before = this.output.length;
    const end = new RegExp(`^end of ${this.#typed}: (\\d+)$`, 'm');
    this.#shell.stdin?.write(`${block}\nprintf '\\nend of ${this.#typed}: %s\\n' $?\n`);
    const [text, code] = await until(() => end.exec(this.output.slice(before)) ?? undefined, {
      what: `the end of ${block}, which has printed:\n${this.output.slice(before)}`,
      within: 30_000,
    });
    return { code: Number(code), output: this.output.slice(before).replace(text, '') };
  }
}

/** `npm start` in a terminal of its own, until Ctrl-C. */
class Started {
  output = '';
  readonly #child: ChildProcess;
  #ended = false;

  constructor(...args: readonly string[]) {
    const all = [MAIN, 'run', '--envoy-admin-port', '0', ...args];
    this.#child = spawn(process.execPath, all, { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    processes.push(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.#child.once('close', () => {
      this.#ended = true;
    });
  }

  async printed(text: RegExp): Promise<RegExpExecArray> {
    return await until(() => text.exec(this.output) ?? undefined, {
      what: `${text} in:\n${this.output}`,
      within: 60_000,
    });
  }

  async interrupt(): Promise<void> {
    this.#child.kill('SIGINT');
    await until(() => this.#ended || undefined, { what: 'the end of Sluice', within: 15_000 });
  }
}

/** How many answers came in the first, second, … round of two seconds. */
function rounds(output: string): readonly number[] {
  const times = [...output.matchAll(/after (\d+\.\d+)/g)].map(([, seconds]) => Math.round(Number(seconds) / 2));
  return [0, 1, 2, 3].map((round) => times.filter((time) => time === round).length);
}

test('the demo answers nine requests in three rounds', async () => {
  const [start = '', burst = ''] = blocks(1);
  expect(start).toBe('npm start\n');
  const [admin = 0] = await freePorts(1);
  const demo = new Started('--admin', `127.0.0.1:${admin}`);
  const [, port = ''] = await demo.printed(/http:\/\/127\.0\.0\.1:(\d+)\/ & done/);
  const { code, output } = await new Terminal().type(burst.replace(':8080/', `:${port}/`));
  expect([code, rounds(output)]).toEqual([0, [0, 3, 3, 3]]);
  await demo.interrupt();
});

/** A port whose next one is free as well. */
async function freePair(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return (await isListening(port + 1)) ? freePair() : port;
}

test('the page, to the letter: a route file, a burst, a status, an edit, a mistake', async () => {
  const [listen = 0, admin = 0] = await freePorts(2);
  const pods = await freePair();
  // Its words, with what differs in a test: ports that nobody else has, and no npm in between.
  const here = (block: string) =>
    block
      .replaceAll('8081', String(listen))
      .replaceAll('9101', String(pods))
      .replaceAll('9102', String(pods + 1))
      .replaceAll('npm run sluice -- status', `node ${MAIN} status --admin 127.0.0.1:${admin}`)
      .replaceAll('npm run sluice --', `node ${MAIN}`);
  const [own = '', start = '', burst = '', status = ''] = blocks(2);
  const [diff = '', activate = '', mistake = '', end = ''] = blocks(3);
  const second = new Terminal();

  expect(await second.type(here(own))).toMatchObject({
    code: 0,
    output: expect.stringContaining('1 service, 1 route'),
  });
  expect(start).toBe('npm start -- --routes my-routes.yaml\n');
  const sluice = new Started('--admin', `127.0.0.1:${admin}`, '--routes', 'my-routes.yaml');
  await sluice.printed(/Envoy takes requests/);
  // Whoever types has taken longer than this: the filter in Envoy knows pods and limits.
  await until(async () => /0\/2 +0\/4/.test((await second.type(here(status))).output) || undefined, {
    what: 'the queue to be known',
  });
  const answers = await second.type(here(burst));
  expect(answers.output.match(/^200 /gm)).toHaveLength(6);
  expect(answers.output.match(/^429 /gm)).toHaveLength(2);
  expect(rounds(answers.output)).toEqual([2, 2, 2, 2]);
  expect(await second.type(here(status))).toMatchObject({ code: 0, output: expect.stringMatching(/^codec +1 /m) });

  const said = await second.type(here(diff));
  expect(said.code).toBe(0);
  expect(said.output).toMatch(/^codec: limit 1 → 2$/m);
  expect(said.output).toMatch(/routes\[0\] \(my-routes\.yaml:\d+\) takes it/);
  const limitIs = async (limit: number) =>
    new RegExp(`^codec +${limit} `, 'm').test((await second.type(here(status))).output);
  await second.type(activate);
  await until(async () => (await limitIs(2)) || undefined, { what: 'limit 2 to be active' });
  const wrong = await second.type(here(mistake));
  expect([wrong.code, wrong.output]).toEqual([2, expect.stringContaining('remove the route to switch it off')]);
  await sluice.printed(/limit: must be a whole number from 1 to 10,000, not 0/);
  expect(await limitIs(2)).toBe(true);
  await sluice.interrupt();
  expect((await second.type(end)).code).toBe(0);
  await until(async () => !(await isListening(pods)) || undefined, { what: 'the pods to end' });
}, 120_000);
