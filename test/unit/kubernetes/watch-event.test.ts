import { describe, expect, test } from 'vitest';
import { readEvent, readPage } from '../../../src/kubernetes/watch-event.ts';

describe('readEvent', () => {
  const object = { metadata: { name: 'codec', resourceVersion: '7' } };
  test.each([
    ['ADDED', 'put'],
    ['MODIFIED', 'put'],
    ['DELETED', 'removed'],
  ])('%s is %s', (type, kind) => {
    const event = readEvent(JSON.stringify({ type, object }));
    expect(event).toEqual({ ok: true, value: { kind, version: '7', name: 'codec', namespace: '', object } });
  });
  test('a bookmark has only a version', () => {
    const event = readEvent('{"type":"BOOKMARK","object":{"kind":"Service","metadata":{"resourceVersion":"9"}}}');
    expect(event).toEqual({ ok: true, value: { kind: 'bookmark', version: '9' } });
  });
  test('an error has a code', () => {
    const event = readEvent(
      '{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}',
    );
    expect(event).toEqual({ ok: true, value: { kind: 'failed', code: 410, message: 'too old resource version' } });
  });
  test.each([
    'x',
    'null',
    '[]',
    '{}',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{"metadata":{"name":"x"}}}',
    '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}',
    '{"type":"OTHER","object":{"metadata":{"name":"x","resourceVersion":"1"}}}',
    '{"type":"ERROR"}',
  ])('%s is refused', (line) => {
    expect(readEvent(line)).toEqual({ ok: false, errors: [`not an event: ${line}`] });
  });
});

describe('readPage', () => {
  test('reads items, version and where to go on', () => {
    const page = readPage('{"metadata":{"resourceVersion":"5","continue":"abc"},"items":[1,2]}');
    expect(page).toEqual({ ok: true, value: { version: '5', items: [1, 2], next: 'abc' } });
  });
  test('the last page has an empty continue, or none', () => {
    expect(readPage('{"metadata":{"resourceVersion":"5","continue":""},"items":null}')).toEqual({
      ok: true,
      value: { version: '5', items: [], next: undefined },
    });
  });
  test.each(['', '<html>', 'null', '{"items":[]}', '{"metadata":{"resourceVersion":"5"},"items":{}}'])(
    '%s is refused',
    (text) => {
      expect(readPage(text)).toEqual({ ok: false, errors: [`not a list: ${text}`] });
    },
  );
});
