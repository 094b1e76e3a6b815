import { rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, systemClock } from '../base/clock.ts';
import { makeTempFolder } from '../base/temp-folder.ts';
import type { AdminPlace } from './admin-place.ts';

/** Learns from one Envoy process, and no other, where its admin listens and that it has come that far. */
export interface AdminAddress {
  readonly args: readonly string[];
  /** Waits for the address; undefined when `signal` is aborted first. Removes the file either way. */
  read(signal: AbortSignal): Promise<AdminPlace | undefined>;
}

const POLL_MS = 20;

/**
 * Has Envoy write its admin's address into a temporary file (`--admin-address-path`). Asking a fixed port instead
 * would be answered by whichever process has that port, even while ours fails to get it.
 */
export function adminAddress(): AdminAddress {
  const made = makeTempFolder('sluice-envoy-');
  // Whoever starts an Envoy has looked before whether there is a place for such files.
  if (!made.ok) throw new Error(made.errors.join());
  const folder = made.value;
  const file = join(folder, 'admin');
  return {
    args: ['--admin-address-path', file],
    async read(signal) {
      try {
        while (!signal.aborted) {
          const found = parsePlace(await readFile(file, 'utf8').catch(() => ''));
          if (found !== undefined) return found;
          await sleep(systemClock, POLL_MS, signal);
        }
        return undefined;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function parsePlace(text: string): AdminPlace | undefined {
  // While it is being written it names no socket.
  if (text.startsWith('/')) return statSync(text, { throwIfNoEntry: false })?.isSocket() ? { socket: text } : undefined;
  const [, v6, host = v6, port] = /^(?:\[(.+)\]|([^[:]+)):(\d+)$/.exec(text.trim()) ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}
