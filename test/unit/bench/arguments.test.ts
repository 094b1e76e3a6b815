import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../../bench/compare/arguments.ts';

const parse = (...args: string[]) => parseArguments(args, ['video', 'grpc']);

describe('parseArguments', () => {
  it('measures everything in full and writes to docs when nothing is said', () => {
    expect(parse()).toEqual({ ok: true, value: { quick: false, only: [], render: false, out: 'docs' } });
  });

  it('takes scenarios one by one or as a list', () => {
    expect(parse('--quick', '--only', 'grpc,growth', '--only', 'video', '--out', 'x')).toEqual({
      ok: true,
      value: { quick: true, only: ['grpc', 'growth', 'video'], render: false, out: 'x' },
    });
  });

  it('says which scenario there is not, for each of them, and what there is', () => {
    expect(parse('--only', 'cats,grpc,dogs')).toEqual({
      ok: false,
      errors: [
        'there is no scenario cats; there are video, grpc, closed-loop, growth',
        'there is no scenario dogs; there are video, grpc, closed-loop, growth',
      ],
    });
  });

  it('says which options there are', () => {
    const read = parse('--fast');
    expect(read.ok ? '' : read.errors[0]).toMatch(/--fast.*there are --quick, --only SCENARIO, --render, --out FOLDER/);
  });
});
