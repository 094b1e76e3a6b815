import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fillTemplate } from '../../../bench/compare/opponents/template.ts';

describe('fillTemplate', () => {
  it('fills in every name and leaves nothing open', async () => {
    const values = {
      PORT: 1234,
      SOCKET: '/tmp/s',
      LIMIT: 3,
      SLOTS: 9,
      PRIORITY: '',
      CLIENT_PROTOCOL: '',
      SERVER_PROTOCOL: 'proto h2',
    };
    const text = await fillTemplate('haproxy.cfg', values);
    expect(text).toContain('bind 127.0.0.1:1234 ');
    expect(text).toContain('default-server maxconn 3 ');
    expect(text).not.toMatch(/\$\{[A-Z_]+\}/);
  });

  it('throws when a value is missing', async () => {
    await expect(fillTemplate('haproxy.cfg', { PORT: 1 })).rejects.toThrow(/haproxy\.cfg: nothing was given for/);
  });

  it('knows a template for every opponent', async () => {
    const files = await readdir(new URL('../../../bench/compare/opponents/config', import.meta.url));
    expect(files.sort()).toEqual([
      'envoy-connections.yaml',
      'envoy.yaml',
      'haproxy.cfg',
      'nginx-grpc.conf',
      'nginx-http1.conf',
      'nginx.conf',
      'pods.conf',
    ]);
  });
});
