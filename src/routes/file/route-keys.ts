import { dictionary, values } from './collection.ts';
import { header, METHODS, parameter } from './conditions.ts';
import { headerChanges } from './header-changes.ts';
import { map } from './map.ts';
import { className } from './queue-keys.ts';
import { redirect } from './redirect.ts';
import { duration, oneOf, text } from './scalar.ts';
import { optional, required } from './shape.ts';
import { matchedPath, path, regex, requestHost } from './values.ts';

/** Not for names that have a key of their own or are internal. */
const HEADER_NAME = "^(?!([Hh]ost|[xX]-([eE]nvoy|[sS]luice)-.*)$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

/** `routes[].match` */
export const match = map(
  {
    path: optional(
      matchedPath('/v1/models'),
      'The exact path; the query is not looked at. Each match has exactly one of path, prefix, regex.',
    ),
    prefix: optional(
      matchedPath('/v1/'),
      'What the path begins with: /v1/ takes /v1/x; /v1 takes /v1 and /v1/x, not /v10.',
    ),
    regex: optional(regex, 'A regular expression in RE2 syntax that takes the whole path.'),
    hosts: optional(
      values(requestHost, {
        says: 'a list of host names',
        example: '[infer.example]',
        same: String,
        empty: 'name a host, or remove the key to take every host',
      }),
      'Hosts, without port, in small letters; "*.infer.example" takes every name below infer.example.',
      'every host',
    ),
    methods: optional(
      values(oneOf(METHODS), {
        says: 'a list of methods',
        example: '[GET, POST]',
        same: String,
        empty: 'name a method, or remove the key to take every method',
      }),
      'HTTP methods.',
      'every method',
    ),
    headers: optional(
      dictionary(header, {
        says: 'a map of header names and values',
        example: '{x-model: large}',
        itemName: '<header>',
        names: HEADER_NAME,
      }),
      'Headers that must be there: each with its exact value, or `true` for any value.',
      'no header is looked at',
    ),
    query: optional(
      dictionary(parameter, {
        says: 'a map of parameter names and values',
        example: '{model: large}',
        itemName: '<parameter>',
      }),
      'Query parameters that must be there: each with its exact value as it is sent (percent-encoded; the first of several), or `true` for any value.',
      'the query is not looked at',
    ),
  },
  {
    example: '{prefix: /}',
    exactlyOne: ['path', 'prefix', 'regex'],
    elsewhere: {
      uri: 'write path',
      url: 'write path',
      exact: 'write path',
      queryParams: 'write query',
      params: 'write query',
    },
  },
);

const inMatch = (example: string) => `write match: {${example}}`;

/** `routes[]` */
export const route = map(
  {
    match: required(match, 'Which requests the route takes: all of its conditions must hold.'),
    service: optional(
      text({ says: 'the name of a service', example: 'codec' }),
      'Name of the service they go to, one of `services`. Each route has exactly one of service, redirect.',
    ),
    redirect: optional(redirect, 'Where clients are sent instead. The query stays as it is.'),
    rewrite: optional(
      map(
        { prefix: required(path('/'), 'What stands in the place of match.prefix, or of the whole match.path.') },
        { example: '{prefix: /}' },
      ),
      'Change the path before the pod sees it.',
      'the path reaches the pod unchanged',
    ),
    timeout: optional(
      map(
        { request: required(duration({ example: '10m' }), "In the place of the service's timeout.request.") },
        { example: '{request: 10m}', elsewhere: { connect: 'write it under the timeout of the service' } },
      ),
      "Overrides the service's timeout.",
    ),
    priority: optional(
      className('low'),
      "The class of its requests, one of the service's queue.priority.classes; their header is not looked at.",
      'the header says it',
    ),
    headers: optional(headerChanges, 'Change headers.', 'no header is changed'),
  },
  {
    exactlyOne: ['service', 'redirect'],
    example: '{match: {path: /v1}, service: codec}',
    elsewhere: {
      path: inMatch('path: ...'),
      prefix: inMatch('prefix: ...'),
      regex: inMatch('regex: ...'),
      hosts: inMatch('prefix: /, hosts: [...]'),
      methods: inMatch('prefix: /, methods: [...]'),
      query: inMatch('prefix: /, query: {...}'),
      limit: 'write it in the service: services.<name>.limit',
      queue: 'write it in the service: services.<name>.queue',
      uri: 'write match: {path: ...}',
      service_name: 'write service: the name of one of services',
      namespace: 'write it in the service: services.<name>.kubernetes.namespace',
      http_port: 'write it in the service: services.<name>.kubernetes.port',
    },
  },
);
