import { expect, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { get, type RawAnswer, rawAsk, rawPod, write, writeAndEnd } from './raw.ts';
import { codecRoutes, startStage } from './stage.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n';

/** An answer with these header lines. */
function headed(lines: string): RawAnswer {
  return write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${lines}\r\n\r\nok\n`, 'latin1'));
}

function manyLines(count: number): string {
  return Array.from({ length: count }, (_, at) => `X-${at}: 1`).join('\r\n');
}

/** Writes `first`, and a moment later the answer. */
function after(first: string): RawAnswer {
  return (socket) => {
    socket.write(first);
    setTimeout(() => socket.write(OK), 50);
  };
}

/** What reaches the client: the status, and what the whole answer has in it. */
const PASSES: Readonly<Record<string, readonly [RawAnswer, number, RegExp]>> = {
  'no length, ends with the connection': [writeAndEnd('HTTP/1.1 200 OK\r\n\r\nhalf', 50), 200, /half/],
  'HTTP/1.0': [writeAndEnd('HTTP/1.0 200 OK\r\n\r\nold\n', 20), 200, /old/],
  'HTTP/1.0 with a length': [writeAndEnd('HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nold\n', 20), 200, /old/],
  'closes without saying so': [writeAndEnd(OK, 20), 200, /ok/],
  'a reset after the answer': [
    (socket) => {
      socket.write(OK);
      setTimeout(() => socket.resetAndDestroy(), 20);
    },
    200,
    /ok/,
  ],
  '103 before the answer': [after('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'), 103, /link: <\/a>[\s\S]* 200 OK/],
  '102 before the answer': [after('HTTP/1.1 102 Processing\r\n\r\n'), 102, / 200 OK/],
  '100 that nobody asked for': [after('HTTP/1.1 100 Continue\r\n\r\n'), 100, / 200 OK/],
  '204 with a length of 0': [write('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'), 204, /^HTTP/],
  '304 with a length': [write('HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\nETag: "a"\r\n\r\n'), 304, /"a"/],
  trailers: [
    write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n'),
    200,
    /\r\n0\r\nx-sum: 42\r\n/,
  ],
  'lines that end with LF': [write('HTTP/1.1 200 OK\nContent-Length: 3\n\nok\n'), 200, /ok/],
  'no reason phrase': [write('HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nok\n'), 200, /ok/],
  'UTF-8 in a header': [headed(Buffer.from('X-Name: 视频').toString('latin1')), 200, /ok/],
  'Latin-1 in a header': [headed('X-Name: \xe9t\xe9.pdf'), 200, /\xe9t\xe9/],
  'an empty header': [headed('X-Empty:'), 200, /x-empty:/],
  'a folded header': [headed('X-A: a\r\n b'), 200, /ok/],
  'length and chunks': [
    write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n'),
    200,
    /^(?![\s\S]*content-length)[\s\S]*\r\n3\r\nok\n/,
  ],
  'more than its length': [write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more\n'), 200, /\r\n\r\nok$/],
  '990 header lines': [headed(manyLines(990)), 200, /x-989: 1/],
  '250 KB of headers': [headed(`X-Big: ${'x'.repeat(250_000)}`), 200, /ok/],
};

/** What no client can be given. */
const UNREADABLE: Readonly<Record<string, RawAnswer>> = {
  'a 204 with a body': write('HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nok\n'),
  'a 204 in chunks': write('HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  'a space before the colon': headed('Bad : x'),
  'a space in a name': headed('Bad Header: x'),
  'two lengths': headed('Content-Length: 4'),
  'the same length twice': headed('Content-Length: 3'),
  'a 101 that nobody asked for': write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ),
  'another protocol': write('SSH-2.0-OpenSSH_9\r\n'),
  '1,100 header lines': headed(manyLines(1100)),
  '300 KB of headers': headed(`X-Big: ${'x'.repeat(300_000)}`),
};

const modes = new Map<string, string>(
  [...Object.keys(PASSES), ...Object.keys(UNREADABLE)].map((what, at) => [what, `m${at}`]),
);
const ANSWERS = Object.fromEntries(
  [...Object.entries(PASSES).map(([what, [answer]]) => [what, answer] as const), ...Object.entries(UNREADABLE)].map(
    ([what, answer]) => [modes.get(what), answer],
  ),
);

test('odd answers pass, or are a 502 that says so, and take no pod from anybody', async () => {
  const pod = await rawPod({ ...ANSWERS, ok: write(OK) });
  const { port, podEvents } = await startStage(codecRoutes([pod]));
  const ask = (what: string, until: RegExp) =>
    rawAsk(port, get(`/${modes.get(what)}`), {
      until: new RegExp(`\\r\\n\\r\\n[\\s\\S]*(?:${until.source})|^HTTP.1.1 (?:204|304)[\\s\\S]*\\r\\n\\r\\n$`),
    });
  const next = async (what: string) => {
    // The pod may still be closing its connection.
    await pause(40);
    const { status, lastByteMs } = await rawAsk(port, get('/ok'), { until: /\nok\n/ });
    expect(status, `after ${what}`).toBe(200);
    expect(lastByteMs, `after ${what}`).toBeLessThan(500);
  };
  for (const [what, [, status, has]] of Object.entries(PASSES)) {
    const answer = await ask(what, /ok|old|half/);
    expect([answer.status, answer.text], what).toEqual([status, expect.stringMatching(has)]);
    await next(what);
  }
  for (const what of Object.keys(UNREADABLE)) {
    const answer = await ask(what, /\}/);
    expect([answer.status, answer.text], what).toEqual([502, expect.stringContaining('"error":"unreadable answer"')]);
    await next(what);
  }
  const row = await Promise.all(Array.from({ length: 5 }, () => ask('another protocol', /\}/)));
  expect(row.map(({ status }) => status)).toEqual([502, 502, 502, 502, 502]);
  await next('five unreadable answers in a row');
  expect(podEvents).toEqual([]);
});

test('header_bounds are those of requests and of answers', async () => {
  const pod = await rawPod({
    lines: headed(manyLines(60)),
    big: headed(`X-Big: ${'x'.repeat(20_000)}`),
    few: headed(manyLines(30)),
    ok: write(OK),
  });
  const { port, podEvents } = await startStage(`${codecRoutes([pod])}\nheader_bounds: {lines: 50, size: 16KiB}\n`);
  const ask = (path: string, ...more: string[]) => rawAsk(port, get(path, ...more), { until: /\}|ok\n/ });
  const sayings = 'more than 50 header lines or 16 KB of headers';
  for (const path of ['/lines', '/big']) {
    const { status, text } = await ask(path);
    expect([status, text], path).toEqual([502, expect.stringContaining(sayings)]);
  }
  for (const more of [manyLines(60).split('\r\n'), [`X-Big: ${'x'.repeat(20_000)}`]]) {
    const { status, text } = await ask('/ok', ...more);
    expect([status, text]).toEqual([431, expect.stringContaining(sayings)]);
  }
  expect([(await ask('/few')).status, (await ask('/ok')).status]).toEqual([200, 200]);
  expect(podEvents).toEqual([]);
});

test('header_bounds may be higher than usual', async () => {
  const pod = await rawPod({ big: headed(`X-Big: ${'x'.repeat(900_000)}`), lines: headed(manyLines(3000)) });
  const { port } = await startStage(`${codecRoutes([pod])}\nheader_bounds: {lines: 4000, size: 1MiB}\n`);
  for (const path of ['/big', '/lines']) {
    const { status } = await rawAsk(port, get(path, `X-Big: ${'x'.repeat(400_000)}`), { until: /ok\n/ });
    expect(status, path).toBe(200);
  }
});

test('a pod that is to speak HTTP/2 and speaks something else is a 502 as well, and is not taken from anybody', async () => {
  const greetings = ['SSH-2.0-OpenSSH_9\r\n', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'];
  for (const greeting of greetings) {
    // All that it sees of a request is the preface.
    const pod = await rawPod({ '': write(greeting) });
    const { port, podEvents } = await startStage(codecRoutes([pod], 'limit: 1, protocol: h2c'));
    for (let time = 0; time < 6; time++) {
      const { status, text } = await rawAsk(port, get('/'), { until: /\}/ });
      expect([status, text], greeting).toEqual([502, expect.stringContaining('"error":"unreadable answer"')]);
    }
    expect(podEvents, greeting).toEqual([]);
  }
});
