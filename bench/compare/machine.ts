import { cpus, release, totalmem, type } from 'node:os';
import { envoyPath } from '../../test/e2e/kit/envoy.ts';
import { findProgram, versionOf } from './opponents/installed.ts';
import type { Results } from './results.ts';

/** What this machine is. */
export function thisMachine(): Results['machine'] {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${type()} ${release().split('-')[0]}`,
  };
}

/** The versions of everything that takes part and is here. */
export async function versions(): Promise<Record<string, string>> {
  const all: Record<string, string> = { Node: process.versions.node };
  const envoy = await envoyPath().catch(() => undefined);
  if (envoy !== undefined) all['Envoy'] = await versionOf(envoy, '--version');
  for (const [name, title] of [
    ['haproxy', 'HAProxy'],
    ['nginx', 'nginx'],
  ] as const) {
    const path = await findProgram(name);
    if (path !== undefined) all[title] = await versionOf(path, '-v');
  }
  return all;
}
