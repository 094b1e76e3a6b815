import { Worker } from 'node:worker_threads';
import type { Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import { type ParseOptions, parseRouteFile, type RouteFile } from './parse.ts';

/** Larger ones keep the process busy for longer than requests of health checks and streams should wait. */
const LARGE_CHARACTERS = 100_000;

/** What the thread is given. */
export interface ParseTask {
  readonly text: string;
  readonly options: ParseOptions;
}

/**
 * As `parseRouteFile`; a large file is parsed in a thread of its own, which is started for it: a file of 5,000 services
 * takes 400 ms, in which nothing else would be answered.
 */
export async function parseApart(text: string, options: ParseOptions): Promise<Result<RouteFile, Problem>> {
  if (text.length <= LARGE_CHARACTERS) return parseRouteFile(text, options);
  try {
    return await inThread({ text, options });
  } catch {
    // No memory or no thread left for it: then it takes its time here.
    return parseRouteFile(text, options);
  }
}

function inThread(workerData: ParseTask): Promise<Result<RouteFile, Problem>> {
  return new Promise((resolve, reject) => {
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./parse-thread${extension}`, import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread ended without an answer')));
  });
}
