import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { fail, ok, type Result } from '../base/result.ts';
import type { ApiFailure, KubeApi, KubeWriter, Part, WatchHandlers, WriteMethod } from './api.ts';
import { type AccessOptions, type ClusterAccess, openCluster, textOf } from './kubeconfig.ts';
import { splitLines } from './lines.ts';
import type { Credentials } from './log-in.ts';

/** Longest time that an API server may ask us to stay away, in milliseconds. */
const LONGEST_RETRY_AFTER_MS = 30_000;

/** One request. */
interface Asked {
  readonly method: 'GET' | WriteMethod;
  readonly path: string;
  readonly body?: string;
  readonly accept?: string;
}

/** What an API server takes for the wish to be told of metadata alone: a Pod as a whole is twenty times as long. */
const METADATA = {
  list: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  watch: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
};

/** Speaks to the API server over one set of kept connections, and reads anew where and who it is when that fails. */
export class HttpApi implements KubeApi, KubeWriter {
  readonly #options: AccessOptions;
  #access: Promise<Result<ClusterAccess, ApiFailure>> | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** The namespace of locators that name none. */
  async namespace(): Promise<Result<string, ApiFailure>> {
    const access = await this.#open();
    return access.ok ? ok(access.value.namespace) : access;
  }

  async get(path: string, signal: AbortSignal, part: Part = 'whole'): Promise<Result<string, ApiFailure>> {
    const accept = part === 'whole' ? {} : { accept: METADATA.list };
    const head = await this.#send({ method: 'GET', path, ...accept }, signal);
    return unlessAborted(head.ok ? await readText(head.value) : head, signal);
  }

  async write(
    method: WriteMethod,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<Result<string, ApiFailure>> {
    const head = await this.#send({ method, path, body: JSON.stringify(body) }, signal);
    return unlessAborted(head.ok ? await readText(head.value) : head, signal);
  }

  async watch(
    path: string,
    handlers: WatchHandlers,
    signal: AbortSignal,
    part: Part = 'whole',
  ): Promise<Result<void, ApiFailure>> {
    const accept = part === 'whole' ? {} : { accept: METADATA.watch };
    const head = await this.#send({ method: 'GET', path, ...accept }, signal);
    return unlessAborted(head.ok ? await follow(head.value, handlers) : head, signal);
  }

  #open(): Promise<Result<ClusterAccess, ApiFailure>> {
    this.#access ??= openCluster(this.#options).then((access) => {
      if (!access.ok) this.#access = undefined;
      return access;
    });
    return this.#access;
  }

  /** The head of a good answer. A 401 is asked once more, with every file and plug-in read anew. */
  async #send(asked: Asked, signal: AbortSignal): Promise<Result<IncomingMessage, ApiFailure>> {
    const first = await this.#try(asked, signal);
    const unknown = !first.ok && first.errors.some((failure) => failure.kind === 'status' && failure.code === 401);
    return unknown ? this.#try(asked, signal) : first;
  }

  async #try(asked: Asked, signal: AbortSignal): Promise<Result<IncomingMessage, ApiFailure>> {
    const access = await this.#open();
    if (!access.ok) return access;
    const credentials = await logIn(access.value, signal);
    const head = credentials.ok ? await ask(access.value.server, asked, credentials.value, signal) : credentials;
    if (head.ok && (head.value.statusCode === 200 || head.value.statusCode === 201)) return head;
    const code = head.ok ? head.value.statusCode : undefined;
    // The address, the certificates or the token may have changed where they were read from.
    if (code === undefined || code === 401) this.#access = undefined;
    return head.ok ? fail(await refusalOf(head.value)) : head;
  }
}

/** The result, but why the request was given up when it was: a destroyed socket's own words say nothing. */
function unlessAborted<T>(result: Result<T, ApiFailure>, signal: AbortSignal): Result<T, ApiFailure> {
  if (result.ok || !signal.aborted) return result;
  return fail({ kind: 'unreachable', message: typeof signal.reason === 'string' ? signal.reason : 'given up' });
}

/** Credentials can come from a program that waits for ever, so this ends with `signal` as well. */
function logIn(access: ClusterAccess, signal: AbortSignal): Promise<Result<Credentials, ApiFailure>> {
  return new Promise((resolve) => {
    const refuse = (error: unknown) =>
      resolve(fail({ kind: 'config', message: `cannot log in: ${textOf(error)}`, fix: "check the kubeconfig's user" }));
    const give = () => refuse('given up');
    signal.addEventListener('abort', give, { once: true });
    if (signal.aborted) give();
    access
      .credentials()
      .then((credentials) => resolve(ok(credentials)), refuse)
      .finally(() => signal.removeEventListener('abort', give));
  });
}

/** Any answer's head. */
async function ask(
  server: string,
  asked: Asked,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<Result<IncomingMessage, ApiFailure>> {
  const first = start(server, asked, credentials, signal);
  const head = await headOf(first);
  // The server may close a kept connection in the very moment in which it is used again: that says nothing about it.
  const again = !head.ok && first.reusedSocket && !signal.aborted;
  return again ? headOf(start(server, asked, credentials, signal)) : head;
}

function start(
  server: string,
  { method, path, body, accept = 'application/json' }: Asked,
  { agent, headers }: Credentials,
  signal: AbortSignal,
): ClientRequest {
  const send = server.startsWith('http:') ? requestHttp : requestHttps;
  const about =
    body === undefined
      ? {}
      : {
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
          'content-length': Buffer.byteLength(body),
        };
  const request = send(server + path, { method, agent, headers: { accept, ...about, ...headers } });
  if (body !== undefined) request.write(body);
  // Not Node's own `signal` option: it destroys the socket with an error, which nobody listens to any more when the
  // answer has just ended, and an error that nobody listens to ends the process.
  signal.addEventListener('abort', () => request.destroy(), { once: true });
  if (signal.aborted) request.destroy();
  return request;
}

function headOf(request: ClientRequest): Promise<Result<IncomingMessage, ApiFailure>> {
  return new Promise((resolve) => {
    request.on('response', (response) => resolve(ok(response)));
    request.on('error', (error) => resolve(fail({ kind: 'unreachable', message: textOf(error) })));
    request.end();
  });
}

async function readText(response: IncomingMessage): Promise<Result<string, ApiFailure>> {
  const pieces: string[] = [];
  response.setEncoding('utf8');
  try {
    for await (const piece of response) pieces.push(String(piece));
  } catch (error) {
    return fail({ kind: 'unreachable', message: textOf(error) });
  }
  return ok(pieces.join(''));
}

/** Reads events until the answer ends; the reader is called in the same turn in which the bytes arrive. */
function follow(response: IncomingMessage, handlers: WatchHandlers): Promise<Result<void, ApiFailure>> {
  return new Promise((resolve) => {
    response.setEncoding('utf8');
    response.on('data', splitLines(handlers.line));
    response.on('end', () => resolve(ok(undefined)));
    response.on('error', (error) => resolve(fail({ kind: 'unreachable', message: textOf(error) })));
    response.on('close', () => resolve(fail({ kind: 'unreachable', message: 'the connection was closed' })));
    handlers.open();
  });
}

/** The API server's own words: `Status.message`, or the beginning of whatever else answered. */
async function refusalOf(response: IncomingMessage): Promise<ApiFailure> {
  const body = await readText(response);
  const message = messageIn(body.ok ? body.value : '') || response.statusMessage || 'no reason given';
  const seconds = Number(response.headers['retry-after']);
  const wait = seconds > 0 ? { retryAfterMs: Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS) } : {};
  return { kind: 'status', code: response.statusCode ?? 0, message, ...wait };
}

function messageIn(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === 'object' && status !== null && 'message' in status && typeof status.message === 'string') {
      return status.message;
    }
  } catch {
    // Not from the API server: a proxy's page.
  }
  return text.slice(0, 200).trim();
}
