import { request } from 'node:http';
import { connect } from 'node:http2';

import type { PodAddress } from '../../model/locator.ts';
import { formatAddress } from '../../model/locator.ts';
import type { Protocol } from '../../model/service.ts';
import { status200 } from './verdict.ts';

/** How a pod is asked whether it is well. */
export interface Question {
  readonly pod: PodAddress;
  readonly path: string;
  readonly protocol: Protocol;
  readonly timeoutMs: number;
}

/** Asks a pod; whether it answers 200 in time. Never rejects. */
export function check(question: Question): Promise<boolean> {
  return question.protocol === 'h2c' ? checkHttp2(question) : checkHttp1(question);
}

function checkHttp1({ pod, path, timeoutMs }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    // A connection of its own, so that one that hangs is noticed.
    const asking = request({
      host: pod.ip,
      port: pod.port,
      path,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    asking.on('response', (response) => {
      response.resume();
      resolve(status200(response.statusCode));
    });
    asking.on('error', () => resolve(false));
    asking.end();
  });
}

function checkHttp2({ pod, path, timeoutMs }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${formatAddress(pod)}`);
    const end = (isWell: boolean) => {
      clearTimeout(timer);
      session.destroy();
      resolve(isWell);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    session.on('error', () => end(false));
    const stream = session.request({ ':path': path });
    stream.on('response', (headers) => end(status200(headers[':status'])));
    stream.on('error', () => end(false));
    stream.end();
  });
}
