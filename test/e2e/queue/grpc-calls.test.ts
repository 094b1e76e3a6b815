import { Client, credentials, type Deadline, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { type GrpcKind, podService } from '../kit/grpc-service.ts';
import { until } from '../kit/instant.ts';
import { ID_HEADER, WORK_HEADER } from '../kit/pod-ask.ts';
import { startQueue } from './queue.ts';

const identity = (bytes: Buffer): Buffer => bytes;

interface Call {
  readonly id: string;
  readonly kind?: GrpcKind;
  readonly workMs?: number;
  readonly deadline?: Deadline;
}

/** A queue of one pod, and calls to it; each call says how it ended. */
async function startCalls() {
  const queue = await startQueue({ pods: 1, protocol: 'grpc' });
  const client = new Client(`127.0.0.1:${queue.sluice.port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const start = ({ id, kind = 'bidi', workMs = 1, deadline }: Call) => {
    const metadata = new Metadata();
    metadata.set(ID_HEADER, id);
    metadata.set(WORK_HEADER, String(workMs));
    const options = deadline === undefined ? {} : { deadline };
    const call = client.makeBidiStreamRequest(podService[kind].path, identity, identity, metadata, options);
    const messages: string[] = [];
    call.on('data', (chunk: Buffer) => messages.push(String(chunk)));
    const ended = new Promise<{ code: number; trailer: unknown }>((resolve) => {
      call.on('error', (_error: ServiceError) => undefined); // `status` says the same
      call.on('status', ({ code, metadata: trailer }) => resolve({ code, trailer: trailer.get('x-done')[0] }));
    });
    return { call, messages, ended };
  };
  return { queue, start };
}

test('a bidirectional stream goes both ways while it holds its slot', async () => {
  const { queue, start } = await startCalls();
  const { call, messages, ended } = start({ id: 'talk' });
  for (const word of ['one', 'two', 'three']) {
    call.write(Buffer.from(word));
    await until(() => messages.at(-1) === word, { what: `the echo of ${word}` });
  }
  const next = start({ id: 'next' });
  next.call.end(Buffer.from('hello'));
  await queue.untilWaiting(1);
  expect(next.messages).toEqual([]);
  call.end();
  expect(await ended).toEqual({ code: status.OK, trailer: '1' });
  expect(await next.ended).toEqual({ code: status.OK, trailer: '1' });
  expect(await queue.pods.peak()).toBe(1);
});

test('a call that is cancelled at its pod ends there, and the next one gets its slot', async () => {
  const { queue, start } = await startCalls();
  const long = start({ id: 'long', workMs: 600_000 });
  long.call.end(Buffer.from('hello'));
  await queue.untilHeld(1);
  const next = start({ id: 'next' });
  next.call.end(Buffer.from('hello'));
  await queue.untilWaiting(1);
  long.call.cancel();
  expect(await long.ended).toMatchObject({ code: status.CANCELLED });
  expect(await next.ended).toEqual({ code: status.OK, trailer: '1' });
  const outcomes = (await queue.pods.requests()).map(({ id, outcome }) => [id, outcome]);
  expect(outcomes).toEqual([
    ['long', 'aborted'],
    ['next', 'answered'],
  ]);
});

test('a deadline counts the wait: it ends a call in the queue, which no pod then sees', async () => {
  const { queue, start } = await startCalls();
  const long = start({ id: 'long', workMs: 600_000 });
  long.call.end(Buffer.from('hello'));
  await queue.untilHeld(1);
  const late = start({ id: 'late', deadline: Date.now() + 700 });
  late.call.end(Buffer.from('hello'));
  expect(await late.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await queue.untilWaiting(0);
  long.call.cancel();
  await queue.untilHeld(0);
  expect((await queue.pods.requests()).map(({ id }) => id)).toEqual(['long']);
});

test('a deadline ends a call at its pod', async () => {
  const { queue, start } = await startCalls();
  const late = start({ id: 'late', kind: 'serverStream', workMs: 600_000, deadline: Date.now() + 4000 });
  late.call.end(Buffer.from('hello'));
  await queue.untilHeld(1);
  expect(await late.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await queue.untilHeld(0);
  expect((await queue.pods.requests()).map(({ id, outcome }) => [id, outcome])).toEqual([['late', 'aborted']]);
});
