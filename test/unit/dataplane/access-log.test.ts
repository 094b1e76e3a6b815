import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { envoy } from '#xds';
import { accessLoggers } from '../../../src/dataplane/access-log.ts';
import { DETAILS } from '../../../src/dataplane/contract.ts';
import { localReplies } from '../../../src/dataplane/local-replies.ts';
import type { AccessLog } from '../../../src/model/access-log.ts';
import { DEFAULT_HEADER_BOUNDS } from '../../../src/model/header-bounds.ts';

const { FileAccessLog } = envoy.extensions.access_loggers.file.v3;
const { ExpressionFilter } = envoy.extensions.access_loggers.filters.cel.v3;

function loggerOf(requests: AccessLog['requests']) {
  const [logger] = accessLoggers({ file: { path: '/log', format: 'json' }, requests, headers: [] });
  if (logger === undefined) throw new Error('there is no logger');
  return logger;
}

/** `ended` of a line, by the details that Envoy or the filter gives. */
function endings(): ReadonlyMap<string, string> {
  const { logFormat } = FileAccessLog.decode(loggerOf('all').typedConfig?.value ?? new Uint8Array());
  const text = logFormat?.jsonFormat?.fields?.['ended']?.stringValue ?? '';
  return new Map(
    [...text.matchAll(/([^?]*) \? '([^']*)'/g)].flatMap(([, condition = '', word = '']) =>
      [...condition.matchAll(/response\.code_details == '([^']*)'/g)].map(
        ([, details = '']) => [details, word] as const,
      ),
    ),
  );
}

type Filter = NonNullable<ReturnType<typeof loggerOf>['filter']>;

function expressionOf({ extensionFilter }: Filter): string {
  return ExpressionFilter.decode(extensionFilter?.typedConfig?.value ?? new Uint8Array()).expression;
}

/** `error` of answers, by the details that they are told from others by. */
function errors(): ReadonlyMap<string, string> {
  const { mappers } = localReplies([], { filter: { kind: 'off' } }, DEFAULT_HEADER_BOUNDS);
  return new Map(
    (mappers ?? []).flatMap(({ filter, bodyFormatOverride }) => {
      const error = bodyFormatOverride?.jsonFormat?.fields?.['error']?.stringValue;
      const [, details] = /^response\.code_details == '([^']*)'$/.exec(filter ? expressionOf(filter) : '') ?? [];
      return error == null || details === undefined ? [] : [[details, error] as const];
    }),
  );
}

test('what the filter answers is logged with the error that the answer has', () => {
  const own = new Map([...errors()].filter(([details]) => Object.values<string>(DETAILS).includes(details)).sort());
  expect([...own.keys()]).toContain(DETAILS.tenantFull);
  const ended = endings();
  expect(new Map([...own].map(([details]) => [details, ended.get(details)]))).toEqual(own);
});

/** The details of all answers in the code of the filter and its guard. */
function detailsOfFilter(): readonly string[] {
  const folder = join(import.meta.dirname, '../../../envoy/filter');
  return readdirSync(folder).flatMap((file) => {
    const code = readFileSync(join(folder, file), 'utf8');
    const texts = new Map(
      [...code.matchAll(/const ([A-Z_]+) = text\('(sluice_\w+)'\)/g)].map(([, name, of]) => [name, of]),
    );
    const answers = [...code.matchAll(/\banswer(?:Text|With)?\(([^;]*)\);/g)].map(([, given = '']) => given);
    return answers.flatMap((given) => given.match(/\b[A-Z_]+\b/g) ?? []).flatMap((name) => texts.get(name) ?? []);
  });
}

test('every answer of the filter is known here', () => {
  expect(new Set(detailsOfFilter())).toEqual(new Set(Object.values(DETAILS).filter((one) => one !== DETAILS.failed)));
});

test('every answer of the filter ends in some way', () => {
  const ended = endings();
  expect(Object.values(DETAILS).filter((details) => !ended.has(details))).toEqual([]);
  expect(ended.get(DETAILS.joined)).toBe(ended.get('via_upstream'));
  expect(ended.get(DETAILS.answer)).toBe(ended.get('direct_response'));
});

test('what the filter answers who asked it, or a joined request, has not failed', () => {
  const { filter } = loggerOf('failed');
  const [, good = ''] = /!\(response\.code_details in \[(.*)\]\)$/.exec(filter ? expressionOf(filter) : '') ?? [];
  expect(good.split(', ').sort()).toEqual(
    [DETAILS.answer, DETAILS.joined, 'direct_response', 'via_upstream'].map((one) => `'${one}'`).sort(),
  );
});
