import type { Hello } from '../../../src/slots/read-message.ts';

/** How a filter introduces itself: the first one of the Envoy `e`, on its first stream, or as `more` says. */
export function helloOf(more: Partial<Hello> = {}): Hello {
  return {
    kind: 'hello',
    protocol: 1,
    node: 'e',
    epoch: '1',
    stream: 1,
    codeVersion: '',
    memoryBytes: 0,
    shares: false,
    process: '1',
    takes: true,
    ...more,
  };
}
