import type { SourceState } from '../model/source.ts';
import type { Status } from './status.ts';

/** What is known of a source, without its value. */
export function describeSource(state: SourceState<unknown>): Pick<Status['routeFile'], 'state' | 'since' | 'problems'> {
  const { kind, problems } = state;
  return { state: kind, ...(kind === 'stale' && { since: moment(state.since) }), problems };
}

/** Milliseconds since the epoch as ISO 8601. */
export function moment(ms: number): string {
  return new Date(ms).toISOString();
}
