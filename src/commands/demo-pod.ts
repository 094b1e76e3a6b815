import { hostname } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { formatDuration, millis, parseDuration } from '../base/duration.ts';
import { reasonOf } from '../base/reason.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { type DemoPod, startDemoPod } from '../demo/pods.ts';
import { EXIT, failWith } from './exit.ts';
import { parsePort } from './options.ts';
import { aborted, stopSignal } from './stop-signal.ts';

/** How much longer than one request's work a pod that is asked to stop waits for its requests. */
const STOP_SLACK_MS = 1000;

/** More than anybody needs to try something. */
const MOST_PODS = 100;

interface Options {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly work: string;
}

/** `sluice demo-pod`. */
export function addDemoPod(program: Command): void {
  program
    .command('demo-pod')
    .description('pods to try Sluice with: each works on a request for a while')
    .option('--host <address>', 'address to listen at', '0.0.0.0')
    .option('--port <port>', 'port to listen at; with --count that of the first pod', parsePort, 9000)
    .option('--count <pods>', 'how many pods, at ports that follow each other', parseCount, 1)
    .option('--work <duration>', 'how long a pod works on a request', '2s')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice demo-pod --port 9000 --work 2s\n  sluice demo-pod --port 9000 --count 3',
    )
    .action(async (options: Options) => {
      const duration = parseDuration(options.work);
      if (!duration.ok) {
        failWith(
          EXIT.badInput,
          duration.errors.map((error) => `--work: ${error}`),
        );
        return;
      }
      const stopping = stopSignal();
      const started = await startPods(options, duration.value);
      if (!started.ok) {
        failWith(EXIT.failed, started.errors);
        return;
      }
      for (const pod of started.value) {
        const work = formatDuration(millis(duration.value));
        process.stdout.write(`${pod.name} listens at ${options.host}:${pod.port}, works ${work} on a request\n`);
      }
      await aborted(stopping);
      // Whatever they work on has begun already, so it ends within one duration of work.
      await Promise.all(started.value.map((pod) => pod.stop(duration.value + STOP_SLACK_MS)));
    });
}

async function startPods({ host, port, count }: Options, workMs: number): Promise<Result<readonly DemoPod[], string>> {
  const pods: DemoPod[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = count === 1 ? hostname() : `pod ${index + 1}`;
    try {
      // 0 lets the system choose each of them.
      pods.push(await startDemoPod({ name, host, port: port === 0 ? 0 : port + index, workMs }));
    } catch (error) {
      await Promise.all(pods.map((pod) => pod.stop(0)));
      const why = reasonOf(error);
      return fail(`Cannot listen at ${host}:${port + index}: ${why}`);
    }
  }
  return ok(pods);
}

/** Throws what commander prints to the user. */
function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_PODS) {
    throw new InvalidArgumentError(`Write a number from 1 to ${MOST_PODS}.`);
  }
  return count;
}
