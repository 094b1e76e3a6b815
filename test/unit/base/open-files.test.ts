import { expect, test } from 'vitest';
import { fewOpenFiles } from '../../../src/base/open-files.ts';

const limits = (soft: string, hard: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax processes             100                  100                  processes\nMax open files            ${soft}                 ${hard}               files\n`;

test('few open files are told, and only then', () => {
  expect(fewOpenFiles(() => limits('256', '256'))).toBe(256);
  expect(fewOpenFiles(() => limits('1024', '4095'))).toBe(4095);
  expect(fewOpenFiles(() => limits('256', '4096'))).toBeUndefined();
  expect(fewOpenFiles(() => limits('unlimited', 'unlimited'))).toBeUndefined();
  expect(
    fewOpenFiles(() => {
      throw new Error('no /proc');
    }),
  ).toBeUndefined();
});
