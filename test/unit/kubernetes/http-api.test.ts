import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HttpApi } from '../../../src/kubernetes/http-api.ts';

describe('HttpApi', () => {
  let folder: string;
  let server: Server;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;
  let connections: number;
  let api: HttpApi;
  const never = new AbortController().signal;
  const kubeconfig = (port: number, user: object = { tokenFile: join(folder, 'token') }) =>
    writeFileSync(
      join(folder, 'config'),
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'c',
      }),
    );
  const port = () => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-http-api-'));
    writeFileSync(join(folder, 'token'), 'one');
    connections = 0;
    server = createServer((request, response) => handle(request, response));
    server.on('connection', () => connections++);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    kubeconfig(port());
    api = new HttpApi({ kubeconfig: join(folder, 'config') });
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
    vi.restoreAllMocks();
  });
  const status = (response: ServerResponse, code: number, message: string, headers: Record<string, string> = {}) => {
    response.writeHead(code, headers);
    response.end(JSON.stringify({ kind: 'Status', message }));
  };

  test('gets with a token, over a connection that is kept', async () => {
    const seen: unknown[] = [];
    handle = (request, response) => {
      seen.push([request.method, request.url, request.headers.authorization, request.headers.accept]);
      response.end('{"é":1}');
    };
    expect(await api.get('/api/v1?a=b', never)).toEqual({ ok: true, value: '{"é":1}' });
    expect(await api.get('/api/v1', never)).toEqual({ ok: true, value: '{"é":1}' });
    expect(seen[0]).toEqual(['GET', '/api/v1?a=b', 'Bearer one', 'application/json']);
    expect(connections).toBe(1);
  });

  test('asks for metadata alone where nothing else is wanted', async () => {
    const seen: unknown[] = [];
    handle = (request, response) => {
      seen.push(request.headers.accept);
      response.end('{}');
    };
    await api.get('/pods', never, 'metadata');
    await api.watch('/pods?watch=true', { open: () => undefined, line: () => undefined }, never, 'metadata');
    const wanted = (kind: string) => `application/json;as=${kind};g=meta.k8s.io;v=v1`;
    expect(seen).toEqual([wanted('PartialObjectMetadataList'), wanted('PartialObjectMetadata')]);
  });

  test("a refusal has the API server's own words, and how long to stay away", async () => {
    handle = (_, response) => status(response, 429, 'too many requests', { 'retry-after': '7' });
    expect(await api.get('/', never)).toEqual({
      ok: false,
      errors: [{ kind: 'status', code: 429, message: 'too many requests', retryAfterMs: 7000 }],
    });
    handle = (_, response) => {
      response.writeHead(502);
      response.end('<html>Bad Gateway</html>');
    };
    expect(await api.get('/', never)).toMatchObject({ errors: [{ code: 502, message: '<html>Bad Gateway</html>' }] });
    handle = (_, response) => {
      response.writeHead(503, { 'retry-after': '86400' });
      response.end();
    };
    const answer = await api.get('/', never);
    expect(answer).toMatchObject({ errors: [{ message: 'Service Unavailable', retryAfterMs: 30_000 }] });
  });

  test('401: tried once more with a token read anew', async () => {
    const tokens: (string | undefined)[] = [];
    handle = (request, response) => {
      tokens.push(request.headers.authorization);
      writeFileSync(join(folder, 'token'), 'two');
      if (request.headers.authorization === 'Bearer two') response.end('{}');
      else status(response, 401, 'Unauthorized');
    };
    expect(await api.get('/', never)).toEqual({ ok: true, value: '{}' });
    expect(tokens).toEqual(['Bearer one', 'Bearer two']);
    handle = (request, response) => {
      tokens.push(request.headers.authorization);
      status(response, 401, 'Unauthorized');
    };
    expect(await api.get('/', never)).toMatchObject({ errors: [{ kind: 'status', code: 401 }] });
    expect(tokens).toHaveLength(4);
  });

  test('an address that has changed in the kubeconfig is found after a failure', async () => {
    handle = (_, response) => response.end('{}');
    kubeconfig(1);
    expect(await api.get('/', never)).toMatchObject({ errors: [{ kind: 'unreachable' }] });
    kubeconfig(port());
    expect(await api.get('/', never)).toEqual({ ok: true, value: '{}' });
  });

  test('a kept connection that was closed meanwhile is no failure', async () => {
    handle = (_, response) => response.end('{}');
    await api.get('/', never);
    handle = (request, response) => {
      // Closed in the moment in which it is used again.
      if (connections === 1) request.socket.destroy();
      else response.end('{"second":1}');
    };
    expect(await api.get('/', never)).toEqual({ ok: true, value: '{"second":1}' });
  });

  test.each([
    ['before an answer', () => undefined],
    ['in the middle of one', (_: IncomingMessage, response: ServerResponse) => response.write('{"items": [')],
  ])('a request that is given up %s fails with the reason', async (_, handler) => {
    const asked = Promise.withResolvers<void>();
    handle = (request, response) => {
      handler(request, response);
      asked.resolve();
    };
    const giveUp = new AbortController();
    const answer = api.get('/', giveUp.signal);
    await asked.promise;
    giveUp.abort('no answer within 15 s');
    expect(await answer).toEqual({ ok: false, errors: [{ kind: 'unreachable', message: 'no answer within 15 s' }] });
    expect(await api.get('/', giveUp.signal)).toEqual(await answer);
  });

  test('a login program that hangs is given up as well', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['3'] };
    kubeconfig(port(), { exec });
    const giveUp = new AbortController();
    setTimeout(() => giveUp.abort('no answer within 15 s'), 50);
    expect(await api.get('/', giveUp.signal)).toMatchObject({ errors: [{ message: 'no answer within 15 s' }] });
  });

  test('a token that cannot be read is said, and read later', async () => {
    handle = (_, response) => response.end('{}');
    rmSync(join(folder, 'token'));
    const answer = await api.get('/', never);
    expect(answer).toMatchObject({
      errors: [{ kind: 'config', message: expect.stringContaining('cannot log in: ENOENT') }],
    });
    writeFileSync(join(folder, 'token'), 'three');
    expect(await api.get('/', never)).toEqual({ ok: true, value: '{}' });
  });

  describe('watch', () => {
    const follow = async (signal = never) => {
      const said: string[] = [];
      const handlers = { open: () => said.push('open'), line: (text: string) => said.push(text) };
      const result = await api.watch('/', handlers, signal);
      return { said, result };
    };

    test('tells its opening, each line, and a good end', async () => {
      handle = (_, response) => {
        response.writeHead(200);
        response.write('{"a":1}\n{"b"');
        setTimeout(() => response.end(':2}\n'), 20);
      };
      expect(await follow()).toEqual({ said: ['open', '{"a":1}', '{"b":2}'], result: { ok: true, value: undefined } });
    });

    test('a connection that breaks is a failure', async () => {
      handle = (_, response) => {
        response.writeHead(200);
        response.write('{"a":1}\n');
        setTimeout(() => response.destroy(), 20);
      };
      const { said, result } = await follow();
      expect(said).toEqual(['open', '{"a":1}']);
      expect(result).toMatchObject({ errors: [{ kind: 'unreachable' }] });
    });

    test('a refusal is not an opening', async () => {
      handle = (_, response) => status(response, 403, 'no');
      expect(await follow()).toEqual({
        said: [],
        result: { ok: false, errors: [{ kind: 'status', code: 403, message: 'no' }] },
      });
    });

    test('given up in the very event that is its last: no error is left without a listener', async () => {
      // All in one piece, so that the answer is over when the first line is read.
      handle = (_, response) => response.end('{"type":"ERROR"}\n');
      const uncaught = vi.fn();
      process.on('uncaughtException', uncaught);
      for (let round = 0; round < 20; round++) {
        const giveUp = new AbortController();
        const line = () => giveUp.abort('done');
        await api.watch('/', { open: () => undefined, line }, giveUp.signal);
        await new Promise((resolve) => setImmediate(resolve));
      }
      process.off('uncaughtException', uncaught);
      expect(uncaught).not.toHaveBeenCalled();
    });
  });
});
