import { expect, test } from 'vitest';
import { nameOfGiver, orderRefusal } from '../../../src/admin/doors.ts';
import { parseOrder } from '../../../src/admin/orders.ts';

const parse = (text: string) => {
  const [path = '', query = ''] = text.split('?');
  return parseOrder(path, new URLSearchParams(query));
};

test.each([
  ['/pause?service=codec', { kind: 'pause', service: 'codec' }],
  ['/resume?service=codec', { kind: 'resume', service: 'codec' }],
  ['/drain?pod=[fd00::1]:80', { kind: 'drain', pod: '[fd00::1]:80' }],
  ['/undrain?pod=10.0.0.1', { kind: 'undrain', pod: '10.0.0.1' }],
  ['/cancel?service=codec&request=12', { kind: 'cancel', service: 'codec', request: '12' }],
])('%s', (text, order) => {
  expect(parse(text)).toEqual({ ok: true, value: order });
});

test.each(['/pause', '/resume?service=', '/drain?service=codec', '/undrain', '/cancel?service=codec'])(
  '%s says what is missing',
  (text) => {
    expect(parse(text)).toMatchObject({ ok: false });
  },
);

test('other paths are no orders', () => {
  for (const path of ['/', '/status', '/pauses', '/PAUSE', '/constructor']) expect(parse(path), path).toBeUndefined();
});

test('orders come from this machine, with a header that pages of others cannot send', () => {
  const headers = { 'x-sluice-order': '1' };
  for (const peer of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])
    expect(orderRefusal({ headers, peer }), peer).toBeUndefined();
  for (const peer of ['10.0.0.1', 'fd00::1', '::ffff:10.0.0.1', '1127.0.0.1', undefined])
    expect(orderRefusal({ headers, peer }), peer).toContain('from this machine');
  expect(orderRefusal({ headers: {}, peer: '127.0.0.1' })).toContain('x-sluice-order');
});

test('who gave it is made fit to be shown', () => {
  expect(nameOfGiver({ 'x-sluice-by': 'kim@build-3' })).toBe('kim@build-3');
  expect(nameOfGiver({ 'x-sluice-by': `\u001b[31m${'x'.repeat(200)}` })).toBe(`[31m${'x'.repeat(76)}`);
  expect(nameOfGiver({})).toBe('somebody');
});
