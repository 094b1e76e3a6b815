import { millis } from '../../base/duration.ts';
import { fail, ok } from '../../base/result.ts';
import { MOST_CLASSES, MOST_REQUESTS, USUAL_SLACK } from '../../model/service.ts';
import { dictionary, list, values } from './collection.ts';
import { map } from './map.ts';
import { quote } from './report.ts';
import { bytes, duration, oneOf, text, whole } from './scalar.ts';
import { defaulted, optional, required } from './shape.ts';
import { headerName } from './values.ts';

/** Requests that may wait in a service's queue when the file does not say. */
export const QUEUE_MAX = 1000;

/** Requests that may wait for a connection to a service without a limit when the file does not say. */
export const PENDING_MAX = 1024;

/** What Envoy holds of a body before it slows its client down. */
const MOST_BODY = 1024 * 1024;

/** A switch. */
export const onOff = oneOf(['on', 'off'], { true: 'on', yes: 'on', false: 'off', no: 'off', none: 'off' });

/** The name of a class of requests. */
export const className = (example: string) =>
  text({ says: 'the name of a class', example, pattern: CLASS_NAME }, (name) =>
    new RegExp(CLASS_NAME).test(name)
      ? ok(name)
      : fail({
          message: `not a name of a class: ${quote(name)}`,
          fix: 'write 1 to 63 letters, digits, or inner - . _, such as low',
        }),
  );
const CLASS_NAME = '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$';

/** `services.<name>.queue.priority` */
const priority = map(
  {
    header: optional(
      headerName('x-priority'),
      'Request header that names the class; anything else than one of the names below is the usual class.',
      'only `priority` of a route says it',
    ),
    classes: required(
      values(className('high'), {
        says: 'a list of classes',
        example: '[high, normal, low]',
        same: String,
        empty: 'name the classes, the highest first',
      }),
      `Names of the classes, the highest first; at most ${MOST_CLASSES}. While a request of a higher class waits none of a lower one starts; what a pod works on is never stopped.`,
    ),
    default: required(className('normal'), 'The class of a request that names none.'),
    max_wait: optional(
      dictionary(duration({ example: '60s', min: 1 }), {
        says: 'a map of classes and durations',
        example: '{low: 60s}',
        itemName: '<class>',
      }),
      'A request of this class that has waited for so long goes as one of the highest class: no class starves.',
      'lower classes wait as long as higher ones have requests',
    ),
  },
  {
    example: '{header: x-priority, classes: [high, normal, low], default: normal}',
    elsewhere: { maxWait: 'write max_wait', usual: 'write default' },
  },
);

/** What says whose a request is: exactly one of these. */
const TENANT_KEYS = ['header', 'by', 'metadata'] as const;

/** `services.<name>.queue.fair` */
const fair = map(
  {
    header: optional(
      headerName('x-tenant'),
      `Request header that names the tenant. Exactly one of ${TENANT_KEYS.join(', ')} is there; a request without a tenant is one of the tenant "-".`,
    ),
    by: optional(
      oneOf(['address', 'certificate'], { ip: 'address', client: 'address', cert: 'certificate' }),
      "What the tenant is: the client's IP address, or the subject of its certificate.",
    ),
    metadata: optional(
      list(text({ says: 'a name', example: 'sub' }), {
        says: 'a list of names',
        example: '[envoy.filters.http.jwt_authn, payload, sub]',
      }),
      'Where another filter of your Envoy has left the tenant in the metadata of the request: its name, then the keys below it, such as the claim of a JWT.',
    ),
    weights: optional(
      dictionary(whole({ min: 1, max: 1000, example: '4' }), {
        says: 'a map of tenants and numbers',
        example: '{gold: 4}',
        itemName: '<tenant>',
      }),
      'Turns of a tenant for each turn of another one.',
      'each has 1',
    ),
    max_per_tenant: optional(
      whole({ min: 1, max: MOST_REQUESTS, example: '100' }),
      'Requests of one tenant that may wait; one more is refused with `full_status`, and told which tenant it is.',
      '`max` alone counts',
    ),
    slots_per_tenant: optional(
      whole({ min: 1, max: MOST_REQUESTS, example: '4' }),
      'Slots that one tenant may have at a time, also while others are free.',
      'any number',
    ),
  },
  {
    example: '{header: x-tenant}',
    exactlyOne: TENANT_KEYS,
    elsewhere: { max: 'write max_per_tenant', claim: 'write metadata: [envoy.filters.http.jwt_authn, payload, sub]' },
  },
);

/** `services.<name>.queue` */
export const queueFields = {
  max: optional(
    whole({ min: 1, max: MOST_REQUESTS, example: '1000' }),
    'Requests that may wait, above which they are refused: for a slot, or without `limit` for a connection.',
    `${QUEUE_MAX} with a limit, ${PENDING_MAX} without`,
  ),
  timeout: defaulted(
    duration({ example: '30m' }),
    millis(0),
    'Longest wait for a slot, 0 for as long as it takes. Only with `limit`.',
  ),
  full_status: defaulted(
    whole({ min: 400, max: 599, example: '429' }),
    429,
    'HTTP status of the answer to a request that is refused because too many wait.',
  ),
  priority: optional(
    priority,
    'Classes of requests, of which the higher goes first. Only with `limit`.',
    'who came first goes first',
  ),
  fair: optional(
    fair,
    'Tenants that take turns, in each class. Only with `limit`.',
    'who came first goes first, whosever it is',
  ),
  deadline: defaulted(
    oneOf(['off', 'exact', 'early'], { false: 'off', no: 'off', true: 'exact', yes: 'exact', on: 'exact' }),
    'off',
    'Whether a request says itself until when it waits, by grpc-timeout or x-request-deadline (seconds or milliseconds since 1970, or a duration such as 30s): exact ends its wait then; early as soon as the usual work would not be done by then. Only with `limit`.',
  ),
  place: defaulted(
    onOff,
    'off',
    'With on, answers say which place the request had in the queue (`sluice-queue: position=17`), and who sent an `x-request-id` can ask for it while it waits, with an estimate: `GET /.well-known/sluice/requests/ID`. Only with `limit`.',
  ),
  wait_for_body: optional(
    bytes({ example: '1MiB', min: 1024, max: MOST_BODY }),
    'A request joins the queue when so much of its body is here, or all of it: a client that sends slowly holds no slot. Not for WebSocket, gRPC and `Expect: 100-continue`. Only with `limit`.',
    'a request joins with its headers',
  ),
  slack: defaulted(
    duration({ example: '20ms', max: 24 * 3_600_000 }),
    USUAL_SLACK,
    'Where several Envoys share the slots: an Envoy lets its own first request go before one that waits at another Envoy and is at most so much older, but by no more than a request usually works. 0 for the exact order. With one Envoy it changes nothing. Only with `limit`.',
  ),
} as const;

/** `services.<name>.cost` */
export const cost = map(
  {
    header: required(headerName('x-cost'), 'Request header with the number of slots.'),
    default: defaulted(
      whole({ min: 1, max: 10_000, example: '1' }),
      1,
      'Slots that a request takes that does not say, or says something else.',
    ),
  },
  { example: '{header: x-cost}' },
);
