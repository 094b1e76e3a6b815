import { expect, test, vi } from 'vitest';
import { TYPE_URLS, type XdsResource } from '../../../../src/snapshot/resource.ts';
import { SharedBytes } from '../../../../src/xds/protocol/shared-bytes.ts';
import type { Response } from '../../../../src/xds/protocol/type-state.ts';

const typeUrl = TYPE_URLS.cluster;
const resource = (name: string): XdsResource => ({ typeUrl, name, version: name, body: Buffer.alloc(1) });
const [a, b] = [resource('a'), resource('b')];
const base: Response = { typeUrl, nonce: '1', version: 'v', resources: [a, b], removed: ['x'] };

test('equal responses are encoded once, others each by themselves', () => {
  const encode = vi.fn(() => Buffer.alloc(1));
  const shared = new SharedBytes(encode);
  const first = shared.of(base);
  expect(shared.of({ ...base, resources: [a, b], removed: ['x'] })).toBe(first);
  expect(encode).toHaveBeenCalledTimes(1);
  const others: Partial<Response>[] = [
    { nonce: '2' },
    { version: 'w' },
    { typeUrl: TYPE_URLS.listener },
    { resources: [b, a] },
    { resources: [a] },
    { resources: [a, resource('b')] },
    { removed: [] },
    { removed: ['y'] },
  ];
  for (const other of others) expect(shared.of({ ...base, ...other })).not.toBe(first);
  expect(encode).toHaveBeenCalledTimes(1 + others.length);
});

test('what is kept is bounded, but for the newest', () => {
  const encode = vi.fn(() => Buffer.alloc(600 * 1024));
  const shared = new SharedBytes(encode);
  for (const nonce of ['1', '2', '3', '4']) shared.of({ ...base, nonce });
  shared.of({ ...base, nonce: '4' });
  expect(encode).toHaveBeenCalledTimes(4);
  shared.of({ ...base, nonce: '1' });
  expect(encode).toHaveBeenCalledTimes(5);
  encode.mockReturnValue(Buffer.alloc(5 * 1024 * 1024));
  shared.of({ ...base, nonce: '5' });
  shared.of({ ...base, nonce: '5' });
  expect(encode).toHaveBeenCalledTimes(6);
  shared.of({ ...base, nonce: '1' });
  expect(encode).toHaveBeenCalledTimes(7);
});
