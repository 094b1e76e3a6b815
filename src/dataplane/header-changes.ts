import { envoy } from '#xds';
import type { HeaderChanges, HeaderValue } from '../model/route.ts';

const { HeaderValueOption } = envoy.config.core.v3;

type EnvoyHeader = envoy.config.core.v3.HeaderValueOption.$Properties;

/** A header that an Envoy route adds; in its value Envoy replaces `%…%`. */
export function header(key: string, value: string, kind: 'append' | 'overwrite'): EnvoyHeader {
  const { APPEND_IF_EXISTS_OR_ADD, OVERWRITE_IF_EXISTS_OR_ADD } = HeaderValueOption.HeaderAppendAction;
  return {
    header: { key, value },
    appendAction: kind === 'append' ? APPEND_IF_EXISTS_OR_ADD : OVERWRITE_IF_EXISTS_OR_ADD,
  };
}

/** What the user wants set and added; nothing in the values is replaced. */
export function addedHeaders(changes: HeaderChanges | undefined): readonly EnvoyHeader[] {
  const literal = (kind: 'append' | 'overwrite') => (one: HeaderValue) =>
    header(one.name, one.value.replaceAll('%', '%%'), kind);
  return [...(changes?.set ?? []).map(literal('overwrite')), ...(changes?.add ?? []).map(literal('append'))];
}
