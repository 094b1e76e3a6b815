import type { Outcome } from './counts.ts';
import { FLAG, type LogEntry } from './envoy/access-log-entry.ts';
import type { RequestEvent } from './service-traffic.ts';

/** What Lua's answers are called in Envoy's log: the second hop's script refuses who has waited too long. */
const SCRIPT_ANSWERED = 'lua_response';

const TIMEOUTS = FLAG.durationTimeout | FLAG.upstreamRequestTimeout | FLAG.streamIdleTimeout | FLAG.maxStreamDuration;
const LEFT = FLAG.downstreamConnectionTermination | FLAG.downstreamRemoteReset;

/**
 * What an entry of a log of the public listener means that has one in `oneIn` of the requests; undefined: nothing, since
 * it is of another log, or told of beside the sample as well.
 */
export function requestEvent(entry: LogEntry, oneIn = 1): RequestEvent | undefined {
  if (entry.kind === 'failed') return undefined;
  const { service, requestId: id, startedAt } = entry;
  if (entry.kind !== 'ended') return { kind: entry.kind, service, id, startedAt };
  if (oneIn > 1 && !mayBeSampled(entry)) return undefined;
  const { waitMs, durationMs } = entry;
  return { kind: 'ended', service, id, startedAt, waitMs, durationMs, outcome: outcomeOf(entry), standsFor: oneIn };
}

/** Whether Envoys may tell of a sample only of requests that end like this; of all others they always tell (`requestLog`). */
export function mayBeSampled(entry: LogEntry): boolean {
  if (entry.kind !== 'ended') return false;
  const { status, flags } = entry;
  return status > 0 && status < 500 && (flags & (TIMEOUTS | LEFT)) === 0;
}

/** During what the second hop gave up a request; undefined: it did not. */
export function givenUpDuring(entry: LogEntry): 'wait' | 'work' | undefined {
  if (entry.kind !== 'ended') return undefined;
  if (workedTooLong(entry)) return 'work';
  return entry.details === SCRIPT_ANSWERED ? 'wait' : undefined;
}

type EndedEntry = Extract<LogEntry, { kind: 'ended' }>;

function workedTooLong({ flags }: EndedEntry): boolean {
  return (flags & TIMEOUTS) !== 0;
}

function outcomeOf(entry: EndedEntry): Outcome {
  const { flags, status } = entry;
  if ((flags & FLAG.upstreamOverflow) !== 0) return 'refused';
  if (workedTooLong(entry)) return 'timed out';
  if ((flags & LEFT) !== 0) return 'abandoned';
  return status >= 500 ? 'failed' : 'answered';
}
