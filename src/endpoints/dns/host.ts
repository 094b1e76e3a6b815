import { isIPv6 } from 'node:net';
import { assertNever } from '../../base/assert-never.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Problem } from '../../model/problem.ts';
import type { CountSourceEvent, Source, SourceState } from '../../model/source.ts';
import { type AnswerState, isConfirming, noAnswers, stepAnswers, type Trouble } from './answers.ts';
import type { HostResolver } from './resolve.ts';

/** How often to ask, and when to believe. */
export interface FollowOptions {
  /** Pause between questions while nothing changes, in milliseconds. */
  readonly pollMs: number;
  /** Equal answers in a row that a change needs. */
  readonly confirm: number;
  /** Pause between questions while a changed answer is being confirmed, in milliseconds. */
  readonly confirmMs: number;
}

/** What a host is followed with. */
export interface HostSourceOptions extends FollowOptions {
  readonly resolver: HostResolver;
  readonly clock: Clock;
  readonly count?: CountSourceEvent;
}

/** Follows the addresses of one host (see `stepAnswers` for when a change counts). */
export class HostSource implements Source<readonly string[]> {
  readonly name: string;
  readonly #options: HostSourceOptions;
  #answers: AnswerState = noAnswers;
  #state: SourceState<readonly string[]> = { kind: 'pending', problems: [] };

  constructor(host: string, options: HostSourceOptions) {
    this.name = `dns ${host}`;
    this.#options = options;
  }

  /** The active addresses, sorted; the same array until they change. */
  state(): SourceState<readonly string[]> {
    return this.#state;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { resolver, clock, pollMs, confirm, confirmMs, count } = this.#options;
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    while (!signal.aborted) {
      const answer = await resolver.ask();
      if (signal.aborted) break;
      count?.(answer.kind === 'failed' ? 'failure' : 'answer');
      const [answers, inForce] = stepAnswers(this.#answers, answer, confirm);
      if (inForce !== undefined) count?.('change');
      this.#answers = answers;
      const next = describe(this.name, this.#answers, this.#since());
      if (!sameState(this.#state, next)) {
        this.#state = next;
        changed();
      }
      await sleep(clock, isConfirming(this.#answers) ? confirmMs : pollMs, signal);
    }
    signal.removeEventListener('abort', cancel);
  }

  #since(): number {
    return this.#state.kind === 'stale' ? this.#state.since : this.#options.clock.now();
  }
}

function describe(subject: string, { inForce, trouble }: AnswerState, since: number): SourceState<readonly string[]> {
  if (inForce === undefined)
    return { kind: 'pending', problems: trouble === undefined ? [] : [troubleProblem(subject, trouble, [])] };
  if (trouble === undefined)
    return { kind: 'ready', value: inForce, problems: inForce.length > 0 ? [] : [noPods(subject)] };
  const problems = [troubleProblem(subject, trouble, inForce)];
  // Answers of one family suffice where there never was a pod of the other.
  if (trouble.kind === 'half' && !inForce.some((ip) => isIPv6(ip) === (trouble.type === 'AAAA')))
    return { kind: 'ready', value: inForce, problems };
  return { kind: 'stale', value: inForce, problems, since };
}

function noPods(subject: string): Problem {
  return {
    severity: 'warning',
    subject,
    message: 'the name does not exist, or has no address: no pods, requests wait',
    fix: 'check the name; a headless Kubernetes Service has none while no pod is ready',
  };
}

function troubleProblem(subject: string, trouble: Trouble, inForce: readonly string[]): Problem {
  const kept = inForce.length === 0 ? 'no pods are known' : `the last ${inForce.length} pods stay`;
  switch (trouble.kind) {
    case 'failed':
      return { severity: 'error', subject, message: `${trouble.reason}; ${kept}` };
    case 'empty':
      return { severity: 'error', subject, message: `the name exists but has no address; ${kept}` };
    case 'half':
      return {
        severity: 'warning',
        subject,
        message: `${trouble.reason}; ${trouble.type === 'A' ? 'IPv4' : 'IPv6'} addresses stay as they were`,
      };
    case 'unsettled':
      return {
        severity: 'warning',
        subject,
        message: `the answers keep changing, none came often enough in a row; ${kept}`,
        fix: 'check whether the DNS servers agree, and whether they give all addresses every time',
      };
    default:
      return assertNever(trouble);
  }
}

function sameState(a: SourceState<readonly string[]>, b: SourceState<readonly string[]>): boolean {
  if (a.kind !== b.kind || a.problems[0]?.message !== b.problems[0]?.message) return false;
  return a.kind === 'pending' || (b.kind !== 'pending' && a.value === b.value);
}
