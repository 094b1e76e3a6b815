import { spawn } from 'node:child_process';
import type { LogEntry } from './log-lines.ts';

// Waits until its standard input ends: we hold the other end, and the kernel closes it when we are gone, even by
// SIGKILL. (Linux could do this with PR_SET_PDEATHSIG, but Node has no way to set it, and macOS has nothing like it.)
// $0 is the process to end. It is looked for before each step, so that a reused number is not hit seconds later.
const SCRIPT = `
  read -r line
  kill -TERM "$0" || exit 0
  for second in 1 2 3 4 5; do sleep 1; kill -0 "$0" || exit 0; done
  kill -KILL "$0"
`;

/**
 * Ends the process `pid` when this process ends without having called the returned function. Where there is no `sh`
 * (an image with nothing in it), that is logged, and the container's end has to do it.
 */
export function guardAgainstOrphan(pid: number, onLog: (entry: LogEntry) => void): () => void {
  const guard = spawn('sh', ['-c', SCRIPT, String(pid)], {
    // Its own group as well: a Ctrl-C must not end the guard before it is needed.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', (error) => {
    const message = `no sh (${error.message}): if Sluice is killed, its Envoy goes on`;
    onLog({ level: 'warn', component: 'sluice', message });
  });
  // A guard that has just ended makes closing its pipe fail; there is nothing left to guard then.
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => guard.kill('SIGKILL');
}
