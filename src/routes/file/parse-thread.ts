// The thread that parse-apart.ts starts: parses one file, says the result, and ends.
import { parentPort, workerData } from 'node:worker_threads';
import { parseRouteFile } from './parse.ts';
import type { ParseTask } from './parse-apart.ts';

// Whoever starts it gives it this.
const { text, options } = workerData as ParseTask;
parentPort?.postMessage(parseRouteFile(text, options));
