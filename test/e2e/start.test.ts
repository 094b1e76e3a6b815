import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from './kit/instant.ts';
import { freePorts } from './kit/ports.ts';

const ROOT = join(import.meta.dirname, '../..');

/** `npm start` as a terminal runs it: in a process group of its own, marked so that all it starts can be found. */
class Start {
  output = '';
  #ended = false;
  readonly #mark = randomUUID();
  readonly #npm: ChildProcess;

  constructor(...args: readonly string[]) {
    const env = { ...process.env, SLUICE_TEST_MARK: this.#mark };
    this.#npm = spawn('npm', ['start', '--', ...args], {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#npm.stdout, this.#npm.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.#npm.once('close', () => {
      this.#ended = true;
    });
  }

  async printed(text: RegExp): Promise<RegExpExecArray> {
    return await until(() => text.exec(this.output) ?? undefined, {
      what: `${text} in:\n${this.output}`,
      within: 60_000,
    });
  }

  /** Waits for the end of npm itself, which must come soon: users press Ctrl-C and want their prompt back. */
  async ended(): Promise<void> {
    await until(() => this.#ended || undefined, { what: 'the end of npm start', within: 15_000 });
  }

  /** As Ctrl-C does: everybody in the process group gets the signal, and npm passes it on as well. */
  interruptGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.#npm.pid ?? Number.NaN), signal);
  }

  /** As a service manager does: only npm gets it. */
  interruptNpm(signal: NodeJS.Signals): void {
    this.#npm.kill(signal);
  }

  /** Everything that runs because of this start. */
  processes(): readonly string[] {
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => read(`/proc/${pid}/environ`).includes(this.#mark))
      .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 80)}`)
      .filter((line) => line.trim().includes(' '));
  }

  killAll(): void {
    for (const line of this.processes()) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

let start: Start;
afterEach(() => start.killAll());

describe.runIf(process.platform === 'linux')('npm start', () => {
  test('runs the demo; Ctrl-C, which arrives twice, leaves no process behind', async () => {
    start = new Start();
    const [, url = ''] = await start.printed(/Requests go to +(\S+)/);
    expect(start.output).toContain(`curl -s -w '  answered after %{time_total} s\\n' ${url} &`);
    expect(start.processes().join('\n')).toContain('envoy');

    const texts = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await fetch(url)).text()));
    for (const text of texts) expect(text).toMatch(/^pod-\d: my request number \d, 1 at the same time\n$/);
    expect(new Set(texts.map((text) => text.split(':')[0])).size).toBe(3);

    start.interruptGroup('SIGINT');
    start.interruptGroup('SIGINT');
    await start.ended();
    await until(() => start.processes().length === 0 || undefined, { what: 'no process left', within: 15_000 });
  });

  test("runs a user's own file, and SIGTERM to npm alone ends everything too", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
    const [traffic, admin] = await freePorts(2);
    const routes = join(folder, 'my-routes.yaml');
    writeFileSync(
      routes,
      `version: 1\nlisten: {address: 127.0.0.1, port: ${traffic}}\nservices: {a: {static: [], limit: 1}}\nroutes: [{match: {path: /a}, service: a}]\n`,
    );
    start = new Start('--routes', routes, '--envoy-admin-port', String(admin));
    await start.printed(/Envoy takes requests/);
    expect((await fetch(`http://127.0.0.1:${traffic}/b`)).status).toBe(404);

    start.interruptNpm('SIGTERM');
    await start.ended();
    await until(() => start.processes().length === 0 || undefined, { what: 'no process left', within: 15_000 });
    rmSync(folder, { recursive: true });
  });
});
