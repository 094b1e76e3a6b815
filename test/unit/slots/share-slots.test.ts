import { describe, expect, test } from 'vitest';
import { shareSlots } from '../../../src/slots/share-slots.ts';

describe('slots shared between an old gate and the present one', () => {
  test('all go to the old gate while nobody knows whether somebody waits there', () => {
    expect(shareSlots(4, [{ slots: 4, inUse: undefined }])).toEqual({ old: [4], present: 0, line: 0 });
  });

  test('all go to the old gate while all its slots are in use', () => {
    expect(shareSlots(4, [{ slots: 4, inUse: 4 }])).toEqual({ old: [4], present: 0, line: 0 });
  });

  test('an old gate with a free slot has nobody waiting: it keeps those in use', () => {
    expect(shareSlots(4, [{ slots: 4, inUse: 3 }])).toEqual({ old: [3], present: 1, line: undefined });
  });

  test('an old gate in which nothing is left goes', () => {
    expect(shareSlots(4, [{ slots: 3, inUse: 0 }])).toEqual({ old: [undefined], present: 4, line: undefined });
  });

  test('one that has had no slots yet may have a line', () => {
    expect(shareSlots(4, [{ slots: 0, inUse: 0 }])).toEqual({ old: [4], present: 0, line: 0 });
  });

  test('the oldest comes first', () => {
    const gates = [
      { slots: 4, inUse: 1 },
      { slots: 0, inUse: 0 },
    ];
    expect(shareSlots(4, gates)).toEqual({ old: [1, 3], present: 0, line: 1 });
  });

  test('fewer slots than are in use: none are left over', () => {
    expect(shareSlots(1, [{ slots: 4, inUse: 3 }])).toEqual({ old: [1], present: 0, line: undefined });
  });
});
