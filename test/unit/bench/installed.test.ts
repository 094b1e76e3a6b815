import { describe, expect, it } from 'vitest';
import { findProgram, InstalledProgram } from '../../../bench/compare/opponents/installed.ts';

describe('an installed program', () => {
  it('is found on the PATH; what is not there is not', async () => {
    expect(await findProgram('sh')).toMatch(/\/sh$/);
    expect(await findProgram('no-such-proxy')).toBeUndefined();
  });

  it('runs until it is stopped, and what it says is kept', async () => {
    const program = new InstalledProgram('/bin/sh', ['-c', 'echo trouble >&2; exec sleep 60']);
    await expect.poll(() => program.said, { timeout: 20_000 }).toBe('trouble\n');
    expect(() => process.kill(program.pid, 0)).not.toThrow();
    await program.stop();
    expect(() => process.kill(program.pid, 0)).toThrow(/ESRCH/);
  });

  it('cannot be started when it is not there', () => {
    expect(() => new InstalledProgram('/no/such/program', [])).toThrow('/no/such/program could not be started');
  });
});
