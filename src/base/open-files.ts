import { readFileSync } from 'node:fs';

/** Fewer open files than this are soon used up: each connection of a client, and each to a pod, takes one. */
const FEW = 4096;

/**
 * How many files this process and its children may have open, if that is few; undefined: it is enough, or nobody knows.
 * The hard limit counts, as Node raises the soft one to it.
 */
export function fewOpenFiles(read: () => string = () => readFileSync('/proc/self/limits', 'utf8')): number | undefined {
  let limits: string;
  try {
    limits = read();
  } catch {
    return undefined;
  }
  const most = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN);
  return most < FEW ? most : undefined;
}
