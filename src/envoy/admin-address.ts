import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../base/clock.ts';
import type { HostPort } from '../base/host-port.ts';

/** Learns from one Envoy process, and no other, where its admin listens and that it has come that far. */
export interface AdminAddress {
  readonly args: readonly string[];
  /** Waits for the address; undefined when `signal` is aborted first. Removes the file either way. */
  read(signal: AbortSignal): Promise<HostPort | undefined>;
}

const POLL_MS = 20;

/**
 * Has Envoy write its admin's address into a temporary file (`--admin-address-path`). Asking a fixed port instead
 * would be answered by whichever process has that port, even while ours fails to get it.
 */
export function adminAddress(): AdminAddress {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-envoy-'));
  const file = join(folder, 'admin');
  return {
    args: ['--admin-address-path', file],
    async read(signal) {
      try {
        while (!signal.aborted) {
          const found = parseHostPort(await readFile(file, 'utf8').catch(() => ''));
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

function parseHostPort(text: string): HostPort | undefined {
  const [, v6, host = v6, port] = /^(?:\[(.+)\]|([^[:]+)):(\d+)$/.exec(text.trim()) ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}
