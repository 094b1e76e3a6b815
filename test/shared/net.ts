import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Sluice is, and the pods, in the namespace of this process. */
export const SLUICE = '10.88.200.1';
export const POD_NETWORK = '10.88.100';

const ip = (...args: readonly string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** Prepares the network namespace of this process, which is its own (see main.ts). */
export function prepare(pods: number): void {
  ip('link', 'set', 'lo', 'up');
  ip('addr', 'add', `${SLUICE}/32`, 'dev', 'lo');
  for (let i = 1; i <= pods; i++) ip('addr', 'add', `${POD_NETWORK}.${i}/32`, 'dev', 'lo');
}

/** The network namespace of one Envoy, with a wire to that of this process. */
export class Namespace {
  /** Its address. */
  readonly address: string;
  readonly #name: string;
  #cuts: (readonly string[])[] = [];

  constructor(number: number) {
    this.#name = `sluice-${process.pid}-${number}`;
    const near = `10.88.${number}.1`;
    this.address = `10.88.${number}.2`;
    ip('netns', 'add', this.#name);
    ip('link', 'add', `s${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name);
    ip('addr', 'add', `${near}/24`, 'dev', `s${number}`);
    ip('link', 'set', `s${number}`, 'up');
    this.#inside('ip', 'link', 'set', 'lo', 'up');
    this.#inside('ip', 'addr', 'add', `${this.address}/24`, 'dev', 'eth0');
    this.#inside('ip', 'link', 'set', 'eth0', 'up');
    this.#inside('ip', 'route', 'add', 'default', 'via', near);
  }

  /** What runs a program in here. */
  get within(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  /** A program that runs another one in here. */
  program(folder: string, path: string): string {
    const file = join(folder, this.#name);
    writeFileSync(file, `#!/bin/sh\nexec ${this.within.join(' ')} ${path} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Nothing comes from Sluice any more (`hears`), or nothing gets there (`speaks`), without anybody being told. */
  cut(...ways: readonly ('hears' | 'speaks')[]): void {
    for (const way of ways) {
      const rule = way === 'hears' ? ['INPUT', '-s', SLUICE] : ['OUTPUT', '-d', SLUICE];
      this.#inside('iptables', '-A', ...rule, '-j', 'DROP');
      this.#cuts.push(rule);
    }
  }

  mend(): void {
    for (const rule of this.#cuts) this.#inside('iptables', '-D', ...rule, '-j', 'DROP');
    this.#cuts = [];
  }

  remove(): void {
    ip('netns', 'del', this.#name);
  }

  #inside(...command: readonly string[]): void {
    ip('netns', 'exec', this.#name, ...command);
  }
}
