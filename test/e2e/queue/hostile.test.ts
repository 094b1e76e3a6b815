import { describe, expect, onTestFinished, test } from 'vitest';
import { Pods } from '../kit/pods.ts';
import { rawExchange, statusesIn } from '../kit/raw.ts';
import { startSluice } from './queue.ts';

/** `/open` leads to one service; `/secret` to another, for those who know a key. Nothing else leads anywhere. */
async function startDoors() {
  const pods = await Pods.start({ count: 2, workMs: 1 });
  onTestFinished(() => pods.stop());
  const [open = '', secret = ''] = pods.addresses;
  const sluice = await startSluice({
    services: { open: { static: [open], limit: 1 }, secret: { static: [secret], limit: 1 } },
    routes: [
      { match: { prefix: '/open' }, service: 'open' },
      { match: { prefix: '/secret', headers: { 'x-key': 'k' } }, service: 'secret' },
    ],
  });
  /** Sends bytes; what the answers were, and which paths each pod saw. */
  const ask = async (bytes: string) => {
    const before = (await pods.requests()).length;
    const answer = await rawExchange(sluice.port, bytes);
    const seen = (await pods.requests()).slice(before);
    const paths = (address: string) => seen.filter(({ pod }) => pod === address).map(({ path }) => path);
    return { statuses: statusesIn(answer), answer, open: paths(open), secret: paths(secret) };
  };
  return { ask };
}

const CLOSE = 'connection: close\r\n';
const get = (path: string, more = CLOSE) => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;

describe('no spelling of a path leads through one route to another', () => {
  test('those that mean another path go by what they mean', { timeout: 180_000 }, async () => {
    const { ask } = await startDoors();
    expect(await ask(get('/secret', `${CLOSE}x-key: k\r\n`))).toMatchObject({ statuses: [200], secret: ['/secret'] });
    const meaningSecret = [
      '/open/../secret',
      '/open/%2e%2e/secret',
      '/open/%2E./secret',
      '/open/..\\secret',
      '/open/x/../../secret',
      '/../open/../secret',
      'http://x/open/../secret',
      '/./secret',
    ];
    for (const path of meaningSecret) {
      // The route of `/secret`, which asks for the key; with it the pod sees what the path means.
      expect(await ask(get(path)), path).toMatchObject({ statuses: [404], open: [], secret: [] });
      const known = await ask(get(path, `${CLOSE}x-key: k\r\n`));
      expect(known, path).toMatchObject({ statuses: [200], open: [], secret: ['/secret'] });
    }
    for (const path of ['//secret', '/open/..', '/..', '/OPEN', '/open%2f..%2fsecret', '/openly']) {
      expect(await ask(get(path)), path).toMatchObject({ statuses: [404], open: [], secret: [] });
    }
  });

  test('those that mean nothing are refused', async () => {
    const { ask } = await startDoors();
    const odd = ['/open\0/../secret', '/open/%00/../secret', '*', 'open', '/open/\t/secret', '/open#/../secret'];
    for (const path of [...odd, 'https://x/open']) {
      const seen = await ask(get(path));
      expect(seen, path).toMatchObject({ open: [], secret: [] });
      expect(seen.statuses[0], path).toBeGreaterThanOrEqual(400);
      expect(seen.answer, path).toMatch(/"error":"(refused|unreadable request|unreadable path)"/);
    }
  });

  test('those that only look like it stay on their route, and reach its pod as they are', async () => {
    const { ask } = await startDoors();
    // An escaped slash is no slash: `/files/a%2Fb` names one thing.
    for (const path of ['/open/..%2fsecret', '/open/..%5csecret', '/open/%252e%252e/secret', '/open/...']) {
      expect(await ask(get(path)), path).toMatchObject({ statuses: [200], open: [path], secret: [] });
    }
    expect(await ask(get('/open?/../secret'))).toMatchObject({ statuses: [200], open: ['/open'], secret: [] });
    expect(await ask(get('http://x/open'))).toMatchObject({ statuses: [200], open: ['/open'], secret: [] });
  });
});

/** A request that must never be seen as one: it knows the key. */
const INNER = 'GET /secret HTTP/1.1\r\nhost: x\r\nx-key: k\r\n\r\n';
const CHUNKED = `0\r\n\r\n${INNER}`;

/** Headers and bodies about whose end two parsers could be of two minds. */
const SMUGGLED: readonly (readonly [string, string, string])[] = [
  ['CL and TE', `content-length: ${CHUNKED.length}\r\ntransfer-encoding: chunked\r\n`, CHUNKED],
  ['TE and CL', 'transfer-encoding: chunked\r\ncontent-length: 4\r\n', `2e\r\n${INNER}\r\n0\r\n\r\n`],
  ['TE with a space', `content-length: ${CHUNKED.length}\r\ntransfer-encoding : chunked\r\n`, CHUNKED],
  ['TE with a tab', `content-length: ${CHUNKED.length}\r\ntransfer-encoding:\tchunked\r\n`, CHUNKED],
  ['TE with a vertical tab', `content-length: ${CHUNKED.length}\r\ntransfer-encoding: \x0bchunked\r\n`, CHUNKED],
  ['TE in capitals', `content-length: ${CHUNKED.length}\r\nTransfer-Encoding: CHUNKED\r\n`, CHUNKED],
  ['TE of another kind', `content-length: ${CHUNKED.length}\r\ntransfer-encoding: xchunked\r\n`, CHUNKED],
  ['TE folded into another', `content-length: ${CHUNKED.length}\r\nx: y\r\n transfer-encoding: chunked\r\n`, CHUNKED],
  ['TE twice', 'transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n', CHUNKED],
  ['TE chunked, identity', 'transfer-encoding: chunked, identity\r\n', CHUNKED],
  ['TE identity, chunked', 'transfer-encoding: identity, chunked\r\n', CHUNKED],
  ['two lengths', `content-length: 0\r\ncontent-length: ${INNER.length}\r\n`, INNER],
  ['a list of lengths', `content-length: 0, ${INNER.length}\r\n`, INNER],
  ['a length with a sign', `content-length: +${INNER.length}\r\n`, INNER],
  ['a negative length', 'content-length: -1\r\n', INNER],
  ['a length in hex', `content-length: 0x${INNER.length.toString(16)}\r\n`, INNER],
  ['a chunk too large to be', 'transfer-encoding: chunked\r\n', `10000000000000000\r\n${INNER}\r\n0\r\n\r\n`],
  ['chunks that end with LF', 'transfer-encoding: chunked\r\n', `0\n\n${INNER}`],
  ['a null in a header', 'x: a\0b\r\ncontent-length: 0\r\n', ''],
  ['a carriage return in a header', 'x: y\rx-key: k\r\ncontent-length: 0\r\n', ''],
  ['an upgrade to h2c', `connection: upgrade\r\nupgrade: h2c\r\ncontent-length: ${INNER.length}\r\n`, INNER],
];

test('no request is smuggled in another', { timeout: 180_000 }, async () => {
  const { ask } = await startDoors();
  for (const [name, headers, body] of SMUGGLED) {
    const post = `POST /open HTTP/1.1\r\nhost: x\r\n${headers}\r\n${body}`;
    const seen = await ask(post + get('/open/last'));
    expect(seen.secret, name).toEqual([]);
    // Refused, or taken with the inner request as its body; the last request only where the connection goes on.
    const taken = seen.statuses[0] === 200;
    expect(seen.statuses, name).toHaveLength(taken ? 2 : 1);
    expect(seen.open, name).toEqual(taken ? ['/open', '/open/last'] : seen.open.slice(0, 1));
  }
});

test('CONNECT, and what is no HTTP/1.1, lead nowhere', async () => {
  const { ask } = await startDoors();
  for (const bytes of [
    `CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n${CLOSE}\r\n`,
    'GET /secret\r\n\r\n',
    `\0\0\0${INNER}`,
  ]) {
    const seen = await ask(bytes);
    expect(seen, bytes).toMatchObject({ open: [], secret: [] });
    expect(seen.statuses[0], bytes).toBeGreaterThanOrEqual(400);
  }
});
