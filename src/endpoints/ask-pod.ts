import { request } from 'node:http';
import { connect } from 'node:http2';
import type { PodAddress } from '../model/locator.ts';
import { formatAddress } from '../model/locator.ts';
import type { Protocol } from '../model/service.ts';

/** What a pod is asked, by a GET over a connection of its own, so that one that hangs is noticed. */
export interface Question {
  readonly pod: PodAddress;
  readonly path: string;
  readonly protocol: Protocol;
  readonly timeoutMs: number;
  /** So many bytes of its answer are wanted; 0: its status is enough, and does not wait for the rest. */
  readonly mostBytes: number;
}

/** What a pod answered. */
export interface PodAnswer {
  readonly status: number | undefined;
  readonly body: string;
}

/** Asks a pod. Undefined: no whole answer in time, or a longer one than is wanted. Never rejects. */
export function askPod(question: Question): Promise<PodAnswer | undefined> {
  return question.protocol === 'h2c' ? askHttp2(question) : askHttp1(question);
}

function askHttp1({ pod, path, timeoutMs, mostBytes }: Question): Promise<PodAnswer | undefined> {
  return new Promise((resolve) => {
    const asking = request({
      host: pod.ip,
      port: pod.port,
      path,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    asking.on('response', (response) => {
      const status = response.statusCode;
      if (mostBytes === 0) {
        response.resume();
        resolve({ status, body: '' });
        return;
      }
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > mostBytes) asking.destroy();
      });
      response.on('end', () => resolve({ status, body }));
      response.on('error', () => resolve(undefined));
      response.on('close', () => resolve(undefined));
    });
    asking.on('error', () => resolve(undefined));
    asking.end();
  });
}

function askHttp2({ pod, path, timeoutMs, mostBytes }: Question): Promise<PodAnswer | undefined> {
  return new Promise((resolve) => {
    const session = connect(`http://${formatAddress(pod)}`);
    const end = (answer: PodAnswer | undefined) => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), timeoutMs);
    session.on('error', () => end(undefined));
    const stream = session.request({ ':path': path });
    let status: number | undefined;
    let body = '';
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      status = headers[':status'];
      if (mostBytes === 0) end({ status, body });
    });
    stream.on('data', (chunk: string) => {
      body += chunk;
      if (body.length > mostBytes) end(undefined);
    });
    stream.on('end', () => end({ status, body }));
    stream.on('error', () => end(undefined));
    stream.end();
  });
}
