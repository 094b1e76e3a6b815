import { describe, expect, it } from 'vitest';
import { LogDestination } from '../../../src/base/log-destination.ts';

/** A disk that holds so many bytes. */
class Disk {
  text = '';
  room = Number.POSITIVE_INFINITY;
  code = 'ENOSPC';

  readonly write = (bytes: Uint8Array): number => {
    if (this.room === 0) throw Object.assign(new Error('no space left on device'), { code: this.code });
    const taken = bytes.subarray(0, this.room);
    this.room -= taken.length;
    this.text += Buffer.from(taken).toString();
    return taken.length;
  };
}

describe('LogDestination', () => {
  it('loses what cannot be written, and says so once it can', () => {
    const disk = new Disk();
    const log = new LogDestination(disk.write);
    log.write('one\n');
    disk.room = 0;
    for (let line = 0; line < 3; line++) log.write(`lost ${line}\n`);
    disk.room = 1000;
    log.write('two\n');
    log.write('three\n');
    const [first, notice, ...others] = disk.text.split('\n');
    expect([first, ...others]).toEqual(['one', 'two', 'three', '']);
    expect(JSON.parse(notice ?? '')).toMatchObject({
      msg: '3 lines of the log before this one could not be written: no space left on device',
    });
  });

  it('never tears a line: what was begun is ended first', () => {
    const disk = new Disk();
    const log = new LogDestination(disk.write);
    disk.room = 4;
    log.write('begun line\n');
    log.write('lost\n');
    disk.room = 1000;
    log.write('after\n');
    const lines = disk.text.split('\n');
    expect(lines[0]).toBe('begun line');
    expect(lines.at(-2)).toBe('after');
    for (const line of lines.slice(1, -2)) expect(line).toContain('"msg":"1 lines');
  });

  it('waits a moment for a reader that is busy, and not for ever', () => {
    let refusals = 3;
    const taken: string[] = [];
    const log = new LogDestination((bytes) => {
      if (refusals-- > 0) throw Object.assign(new Error('try again'), { code: 'EAGAIN' });
      taken.push(Buffer.from(bytes).toString());
      return bytes.length;
    });
    log.write('patient\n');
    expect(taken).toEqual(['patient\n']);
    refusals = Number.POSITIVE_INFINITY;
    const begin = performance.now();
    for (let line = 0; line < 100; line++) log.write('lost\n');
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});
