import { hostname } from 'node:os';
import type { Command } from 'commander';
import { formatDuration, millis, parseDuration } from '../base/duration.ts';
import { startDemoPod } from '../demo/pods.ts';
import { EXIT, failWith } from './exit.ts';
import { parsePort } from './options.ts';
import { aborted, stopSignal } from './stop-signal.ts';

/** How much longer than one request's work a pod that is asked to stop waits for its requests. */
const STOP_SLACK_MS = 1000;

/** `sluice demo-pod`. */
export function addDemoPod(program: Command): void {
  program
    .command('demo-pod')
    .description('a pod to try Sluice with: works on each request for a while')
    .option('--host <address>', 'address to listen at', '0.0.0.0')
    .option('--port <port>', 'port to listen at', parsePort, 9000)
    .option('--work <duration>', 'how long it works on a request', '2s')
    .addHelpText('after', '\nExample:\n  sluice demo-pod --port 9000 --work 2s')
    .action(async ({ host, port, work }: { host: string; port: number; work: string }) => {
      const duration = parseDuration(work);
      if (!duration.ok) {
        failWith(
          EXIT.badInput,
          duration.errors.map((error) => `--work: ${error}`),
        );
        return;
      }
      const pod = await startDemoPod({ name: hostname(), host, port, workMs: duration.value });
      process.stdout.write(
        `${pod.name} listens at ${host}:${pod.port}, works ${formatDuration(millis(duration.value))} on a request\n`,
      );
      await aborted(stopSignal());
      // Whatever it works on has begun already, so it ends within one duration of work.
      await pod.stop(duration.value + STOP_SLACK_MS);
    });
}
