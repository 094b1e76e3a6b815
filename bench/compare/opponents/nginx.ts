import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../test/e2e/kit/ports.ts';
import { findProgram, InstalledProgram } from './installed.ts';
import { listening } from './listening.ts';
import type { Opponent, OpponentKind, Setup } from './opponent.ts';
import { fillTemplate, replaceFile } from './template.ts';

/** nginx with a bound at each server and no queue, which is what its open source version has. */
export const nginx: OpponentKind = {
  name: 'nginx',
  title: 'nginx',
  about:
    'nginx with `least_conn` and `max_conns`, one worker; above the slots of all pods it answers 502, as only NGINX Plus has a queue; it learns of pods by a reload.',
  missing: async () => ((await findProgram('nginx')) === undefined ? 'nginx is not installed' : undefined),
  start,
};

async function start({ pods, limit, protocol, folder }: Setup): Promise<Opponent> {
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  const write = async (members: readonly string[]) => {
    const values = {
      PORT: port,
      FOLDER: folder,
      LIMIT: limit,
      CLIENT_PROTOCOL: protocol === 'http1' ? '' : 'http2',
      SERVERS: members.map((pod) => `        server ${pod} max_conns=${limit} max_fails=1 fail_timeout=2s;`).join('\n'),
      PASS: await fillTemplate(protocol === 'http1' ? 'nginx-http1.conf' : 'nginx-grpc.conf', {}),
    };
    await replaceFile(config, await fillTemplate('nginx.conf', values));
  };
  await write(pods);
  const path = (await findProgram('nginx')) ?? 'nginx';
  const program = new InstalledProgram(path, ['-e', 'stderr', '-p', folder, '-c', config]);
  await listening(port, () => program.said);
  return {
    port,
    processes: () => ({ proxy: [program.pid, ...childrenOf(program.pid)], controlPlane: [] }),
    setPods: async (next) => {
      await write(next);
      program.signal('SIGHUP');
    },
    stop: () => program.stop(),
  };
}

/** The workers of nginx's master; a reload begins new ones. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}
