/**
 * One pod as a process of its own, so that it can be killed and stopped: `node pod-program.ts ADDRESS PORT PROTOCOL`. It tells
 * its parent over IPC of every request at once, so that what it saw is known even when it is killed.
 */
import { Pod, type PodMode } from '../e2e/kit/pod.ts';
import { h2c } from '../e2e/kit/pod-h2c.ts';
import { http1 } from '../e2e/kit/pod-http1.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';

/** What the program says to its parent. */
export type PodMessage =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'request'; readonly number: number; readonly request: PodRequest }
  | { readonly kind: 'mode' };

/** What such a pod can speak. */
export type PodProcessProtocol = 'http1' | 'h2c';

const [host = '127.0.0.1', port = '0', protocol] = process.argv.slice(2);
const numbers = new Map<PodRequest, number>();

function say(message: PodMessage): void {
  process.send?.(message);
}

const pod = new Pod(host, Number(port), {
  workMs: 40,
  protocol: protocol === 'h2c' ? h2c : http1,
  tell: (request) => {
    // The log has one object per request, which goes on changing.
    const number = numbers.get(request) ?? numbers.size;
    numbers.set(request, number);
    say({ kind: 'request', number, request });
  },
});
// The parent sends nothing but modes.
process.on('message', (mode: PodMode) => void pod.setMode(mode).then(() => say({ kind: 'mode' })));
process.on('disconnect', () => process.exit());
await pod.open();
say({ kind: 'listening', address: pod.address });
