import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Processes } from '../opponents/opponent.ts';

/** CPU time in milliseconds or memory in MB, of what carries traffic and of what tells it about pods. */
export interface Cost {
  readonly proxy: number;
  readonly controlPlane: number;
}

const msPerTick = once(() => 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })));

/** CPU time since their start of all processes. Processes that have ended count as 0. Linux only. */
export function cpuOf({ proxy, controlPlane }: Processes): Cost {
  return { proxy: sum(proxy, cpuMs), controlPlane: sum(controlPlane, cpuMs) };
}

/** Resident memory of all processes now. */
export function memoryOf({ proxy, controlPlane }: Processes): Cost {
  return { proxy: sum(proxy, residentMb), controlPlane: sum(controlPlane, residentMb) };
}

/** What was used between two readings; never less than nothing, should a process have ended in between. */
export function difference(after: Cost, before: Cost): Cost {
  return {
    proxy: Math.max(0, after.proxy - before.proxy),
    controlPlane: Math.max(0, after.controlPlane - before.controlPlane),
  };
}

/** The kernel's nanoseconds of each thread; where it does not keep them, its ticks, mostly of 10 ms. */
function cpuMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const ran = (thread: string) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    return threads.reduce((total, thread) => total + ran(thread), 0) / 1e6;
  } catch {
    return cpuTicks(pid);
  }
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, in brackets, may have blanks; user and system time are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * msPerTick();
}

function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kib ?? 0) * 1024) / 1e5) / 10;
}

function sum(pids: readonly number[], read: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + orNothing(() => read(pid)), 0);
}

/** A process may end while it is looked at. */
function orNothing(read: () => number): number {
  try {
    return read();
  } catch {
    return 0;
  }
}

function once(make: () => number): () => number {
  let value: number | undefined;
  return () => {
    value ??= make();
    return value;
  };
}
