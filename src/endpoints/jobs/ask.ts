import { request } from 'node:http';
import { connect } from 'node:http2';
import type { PodAddress } from '../../model/locator.ts';
import { formatAddress } from '../../model/locator.ts';
import type { Protocol } from '../../model/service.ts';

/** How a pod is asked which jobs it has. */
export interface JobQuestion {
  readonly pod: PodAddress;
  readonly path: string;
  readonly protocol: Protocol;
  readonly timeoutMs: number;
}

/** More than this is no list of jobs. */
const MOST_BYTES = 1024 * 1024;

/** Asks a pod which jobs it has; undefined: it did not answer, or with something else. Never rejects. */
export async function askJobs(question: JobQuestion): Promise<ReadonlySet<string> | undefined> {
  const body = await (question.protocol === 'h2c' ? askHttp2(question) : askHttp1(question));
  return body === undefined ? undefined : jobsIn(body);
}

/** The jobs in an answer: a JSON list of their ids. Undefined: it is none. */
export function jobsIn(body: string): ReadonlySet<string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || !value.every((id) => typeof id === 'string')) return undefined;
  return new Set(value);
}

function askHttp1({ pod, path, timeoutMs }: JobQuestion): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request({
      host: pod.ip,
      port: pod.port,
      path,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    asking.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MOST_BYTES) asking.destroy();
      });
      response.on('end', () => resolve(response.statusCode === 200 ? body : undefined));
      response.on('error', () => resolve(undefined));
      response.on('close', () => resolve(undefined));
    });
    asking.on('error', () => resolve(undefined));
    asking.end();
  });
}

function askHttp2({ pod, path, timeoutMs }: JobQuestion): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(`http://${formatAddress(pod)}`);
    const end = (body: string | undefined) => {
      clearTimeout(timer);
      session.destroy();
      resolve(body);
    };
    const timer = setTimeout(() => end(undefined), timeoutMs);
    session.on('error', () => end(undefined));
    const stream = session.request({ ':path': path });
    let [body, isGood] = ['', false];
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      isGood = headers[':status'] === 200;
    });
    stream.on('data', (chunk: string) => {
      body += chunk;
      if (body.length > MOST_BYTES) end(undefined);
    });
    stream.on('end', () => end(isGood ? body : undefined));
    stream.on('error', () => end(undefined));
    stream.end();
  });
}
