import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { get, rawAsk } from './raw.ts';
import { codecRoutes, startStage } from './stage.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** What a pod does with a request, by its path. */
type Answers = Readonly<Record<string, (stream: ServerHttp2Stream) => void>>;

/** A pod that speaks HTTP/2 without TLS; `sessions`: its connections, oldest first. */
async function h2cPod(answers: Answers) {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    answers[headers[':path'] ?? '']?.(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound');
  return { address: `127.0.0.1:${bound.port}`, sessions };
}

/** An HTTP/2 client until the test ends. */
function client(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** What came back. */
interface Answer {
  status: number;
  readonly informational: number[];
  trailers: Readonly<Record<string, unknown>> | undefined;
  body: string;
  /** Whether the answer came to its end. */
  isWhole: boolean;
  /** With which code the stream was closed; 0: none. */
  code: number;
}

interface Ask {
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** The client sends no end: its request goes on. */
  readonly isOpen?: boolean;
}

function ask(session: ClientHttp2Session, path: string, { body, headers, isOpen = false }: Ask = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': path, ':method': 'POST', ...headers }, { endStream: false });
    const answer: Answer = { status: 0, informational: [], trailers: undefined, body: '', isWhole: false, code: 0 };
    stream.on('headers', (head) => answer.informational.push(head[':status'] ?? 0));
    stream.on('response', (head) => {
      answer.status = head[':status'] ?? 0;
    });
    stream.on('trailers', (trailers) => {
      answer.trailers = { ...trailers };
    });
    stream.on('data', (chunk) => {
      answer.body += chunk;
    });
    stream.on('end', () => {
      answer.isWhole = !stream.aborted;
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve({ ...answer, code: stream.rstCode ?? 0 }));
    if (body !== undefined) stream.write(body);
    if (!isOpen) stream.end();
  });
}

/** Answers with `body` and these trailers. */
function withTrailers(headers: Readonly<Record<string, string>>, trailers: Readonly<Record<string, string>>) {
  return (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end('hello');
  };
}

function ok(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.end('ok');
}

test('trailers reach the client, whether the answer has a length or not, and 1xx before it', async () => {
  const pod = await h2cPod({
    '/plain': withTrailers({}, { 'grpc-status': '0' }),
    '/length': withTrailers({ 'content-length': '5' }, { 'grpc-status': '0', 'x-sum': '42' }),
    '/hints': (stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      setTimeout(() => ok(stream), 20);
    },
  });
  const { port } = await startStage(codecRoutes([pod.address], 'limit: 1, protocol: h2c'));
  const session = client(port);
  expect(await ask(session, '/plain')).toMatchObject({ body: 'hello', trailers: { 'grpc-status': '0' } });
  for (let count = 0; count < 50; count++) {
    expect(await ask(session, '/length')).toMatchObject({
      body: 'hello',
      isWhole: true,
      trailers: { 'grpc-status': '0', 'x-sum': '42' },
    });
  }
  expect(await ask(session, '/hints')).toMatchObject({ status: 200, informational: [103], body: 'ok' });
  const old = await rawAsk(port, get('/plain'), { until: /grpc-status/ });
  expect(old.text).toMatch(/\r\n0\r\ngrpc-status: 0\r\n\r\n$/);
});

test("a client's trailers and half-closes reach the pod, and an early answer the client", async () => {
  const trailers: unknown[] = [];
  const pod = await h2cPod({
    '/trailers': (stream) => {
      stream.on('trailers', (headers) => trailers.push(headers['x-sum']));
      stream.on('end', () => ok(stream));
      stream.resume();
    },
    '/echo': (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    },
    '/early': (stream) => {
      stream.respond({ ':status': 413 });
      stream.end('too large');
    },
  });
  const { port, podEvents } = await startStage(codecRoutes([pod.address], 'limit: 1, protocol: h2c'));
  const session = client(port);
  const sent = session.request({ ':path': '/trailers', ':method': 'POST' }, { waitForTrailers: true });
  sent.on('wantTrailers', () => sent.sendTrailers({ 'x-sum': '7' }));
  sent.resume();
  sent.end('body');
  await new Promise((resolve) => sent.on('close', resolve));
  expect(trailers).toEqual(['7']);
  expect(await ask(session, '/echo', { body: Buffer.from('echo') })).toMatchObject({ body: 'echo', isWhole: true });
  // The body goes on for longer than any window.
  const early = { status: 413, body: 'too large' };
  expect(await ask(session, '/early', { body: Buffer.alloc(5_000_000), isOpen: true })).toMatchObject(early);
  expect(await ask(session, '/echo', { body: Buffer.from('echo') })).toMatchObject({ body: 'echo' });
  expect(podEvents).toEqual([]);
});

test('resets go both ways, free the slot, and take out no pod', async () => {
  const closed: number[] = [];
  const pod = await h2cPod({
    '/before': (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
    '/amid': (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('abc');
      // A reset without an end before it: `close` would send one.
      setTimeout(() => stream.destroy(new Error('breaks off')), 50);
    },
    '/hang': (stream) => stream.on('close', () => closed.push(stream.rstCode)),
    '/ok': ok,
  });
  const { port, podEvents } = await startStage(codecRoutes([pod.address], 'limit: 1, protocol: h2c'));
  const session = client(port);
  expect(await ask(session, '/before')).toMatchObject({ status: 502, body: expect.stringContaining('"pod failed"') });
  expect(await ask(session, '/amid')).toMatchObject({
    body: 'abc',
    isWhole: false,
    code: NGHTTP2_INTERNAL_ERROR,
  });
  const left = session.request({ ':path': '/hang', ':method': 'POST' });
  left.on('error', () => {});
  await pause(50);
  left.close(NGHTTP2_CANCEL);
  await until(() => closed.length === 1, { what: 'the pod learns that its client has left' });
  expect(await ask(session, '/ok')).toMatchObject({ status: 200, body: 'ok' });
  expect(podEvents).toEqual([]);
});

test('a request that a pod refuses without having seen it is tried again, and takes out no pod', async () => {
  let refused = 0;
  const pod = await h2cPod({
    '/': (stream) => {
      if (refused++ < 2) stream.close(NGHTTP2_REFUSED_STREAM);
      else ok(stream);
    },
  });
  const { port, podEvents } = await startStage(codecRoutes([pod.address], 'limit: 1, protocol: h2c'));
  expect(await ask(client(port), '/')).toMatchObject({ status: 200, body: 'ok' });
  expect(refused).toBe(3);
  expect(podEvents).toEqual([]);
});

test('a pod that takes no new requests on a connection gets them on another, and waits for nobody', async () => {
  const ends: (() => void)[] = [];
  const answers: Answers = {
    '/long': (stream) => {
      stream.respond({ ':status': 200 });
      ends.push(() => stream.end('done'));
    },
    '/ok': ok,
  };
  const pod = await h2cPod(answers);
  const { port, podEvents } = await startStage(codecRoutes([pod.address], 'limit: 3, protocol: h2c'));
  const session = client(port);
  const long: Promise<Answer>[] = [];
  // Each long request stays on a connection that is given up.
  for (const count of [1, 2]) {
    long.push(ask(session, '/long'));
    await until(() => ends.length === count, { what: 'a long request is at the pod' });
    pod.sessions.at(-1)?.close();
    await pause(50);
    const began = instant();
    expect(await ask(session, '/ok')).toMatchObject({ status: 200 });
    expect(instant() - began).toBeLessThan(500);
  }
  for (const end of ends) end();
  expect(await Promise.all(long)).toMatchObject([{ body: 'done' }, { body: 'done' }]);
  expect(podEvents).toEqual([]);
});

test('an idle pod takes over at once from one that has given up its connection', async () => {
  const ends: (() => void)[] = [];
  const pods = await Promise.all(
    [1, 2].map(() =>
      h2cPod({
        '/long': (stream) => {
          stream.respond({ ':status': 200 });
          ends.push(() => stream.end('done'));
        },
        '/ok': ok,
      }),
    ),
  );
  const addresses = pods.map(({ address }) => address);
  const { port } = await startStage(codecRoutes(addresses, 'limit: 1, protocol: h2c'));
  const session = client(port);
  const long = ask(session, '/long');
  await until(() => ends.length === 1, { what: 'a long request is at a pod' });
  for (const { sessions } of pods) for (const one of sessions) one.close();
  await pause(50);
  const began = instant();
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(session, '/ok')));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect(instant() - began).toBeLessThan(500);
  ends[0]?.();
  expect(await long).toMatchObject({ body: 'done' });
});
