import { fail, ok } from '../../base/result.ts';
import { formatAddress, type StaticPod } from '../../model/locator.ts';
import type { Slots } from '../../model/service.ts';
import { checkDnsHost, checkIp, checkPodAddress, checkRequestHost } from './address.ts';
import { checkHeaderName } from './conditions.ts';
import { map } from './map.ts';
import { checkLabel, checkPortName } from './names.ts';
import { checkMatchedPath, checkPath } from './path.ts';
import { checkRegex } from './regex.ts';
import { scalar, text, whole } from './scalar.ts';
import { required, type Shape } from './shape.ts';

/*
 * What the checks of this file can be said of in JSON Schema, for editors: somewhat more is allowed than by the checks,
 * which have the last word.
 */
const LABEL = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$';
const PORT_NAME = '^(?=.*[a-z])[a-z0-9]([a-z0-9-]*[a-z0-9])?$';
const PATH = "^(?!.*//)(?!.*/\\.{1,2}(/|$))/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$";
const IPV4 = '[0-9]{1,3}(\\.[0-9]{1,3}){3}';
const IPV6 = '[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*';
const HOST = '[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*';

/** The name of a header, such as `example`, in small letters as Envoy has it. */
export const headerName = (example: string) =>
  text({ says: 'the name of a header', example, pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }, (written) =>
    checkHeaderName(written, example),
  );

/** A TCP port. */
export const tcpPort = whole({ min: 1, max: 65_535, example: '8080' });

/** A port of a Kubernetes Service: its number or its name. */
export const servicePort = scalar<number | string>(
  {
    says: 'a port number or the name of a port',
    example: '80',
    schema: {
      anyOf: [
        { type: 'integer', minimum: 1, maximum: 65_535 },
        { type: 'string', maxLength: 15, pattern: PORT_NAME },
      ],
    },
  },
  ({ text: written, quoted, replaced }) => {
    const number = Number(written);
    if (!/^\d+$/.test(written) || number < 1 || number > 65_535) return checkPortName(written);
    if (!quoted || replaced) return ok(number);
    return fail({
      message: `must be a number or a name, and "${written}" is text`,
      fix: `remove the quotes: ${written}`,
    });
  },
);

/** Requests one pod may hold at a time. */
export const limit = whole({
  min: 1,
  max: 10_000,
  example: '2',
  zero: 'remove the route to switch it off',
  endless: 'remove the key: without a limit pods are balanced, and max_requests bounds them all together',
});

/** A path as requests have it, such as `example`. */
export const path = (example: string) => text({ says: 'a path such as /v1/models', example, pattern: PATH }, checkPath);

/** A path, or its beginning, that a route matches. */
export const matchedPath = (example: string) =>
  text({ says: 'a path such as /v1/models', example, pattern: PATH }, checkMatchedPath);

/** A regular expression for whole paths. */
export const regex = text({ says: 'a regular expression', example: '"/v[0-9]+/models"' }, checkRegex);

/** The name of a Kubernetes object, such as `example`. */
export const label = (example: string) => text({ says: 'a Kubernetes name', example, pattern: LABEL }, checkLabel);

/** An IP address to listen on. */
export const ipAddress = text(
  { says: 'an IP address', example: '0.0.0.0', pattern: `^(${IPV4}|\\[?${IPV6}\\]?)$` },
  checkIp,
);

/** A pod's address. */
const podAddress = scalar(
  {
    says: 'an IP address and port',
    example: '10.0.0.1:8080',
    schema: { type: 'string', pattern: `^(${IPV4}|\\[${IPV6}\\]):[0-9]{1,5}$` },
    write: formatAddress,
  },
  (tree) => checkPodAddress(tree.text),
);

const podWithLimit = map(
  {
    address: required(podAddress, 'IP address and port.'),
    limit: required(limit, 'Requests that this pod may hold at a time.'),
  },
  { example: '{address: 10.0.0.1:8080, limit: 4}' },
);

/** A pod of a list: its address, or a map with that and a limit of its own. */
export const staticPod: Shape<StaticPod> = {
  ...podAddress,
  schema: { anyOf: [podAddress.schema, podWithLimit.schema] },
  read(tree, path, report) {
    if (tree.kind !== 'map') return podAddress.read(tree, path, report);
    const read = podWithLimit.read(tree, path, report);
    if (read?.address.value === undefined || read.limit.value === undefined) return undefined;
    // The limit's shape has checked that it is a whole number above 0: what the brand stands for.
    return { ...read.address.value, limit: read.limit.value as Slots };
  },
  write: (pod) =>
    pod.limit === undefined
      ? formatAddress(pod)
      : `{address: ${JSON.stringify(formatAddress(pod))}, limit: ${pod.limit}}`,
};

/** The name of a host whose addresses DNS knows. */
export const dnsHost = text(
  { says: 'a host name', example: 'codec.example', pattern: `^(?!${IPV4}$)${HOST.replaceAll('a-z', 'A-Za-z')}\\.?$` },
  checkDnsHost,
);

/** A host that requests ask for. */
export const requestHost = text(
  { says: 'a host name', example: 'infer.example', pattern: `^((\\*\\.)?${HOST}|\\[${IPV6}\\])$` },
  checkRequestHost,
);

/** The name of a file, such as `example`. */
export const fileName = (example: string) => text({ says: 'a file name', example });
