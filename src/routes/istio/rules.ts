import type { Problem } from '../../model/problem.ts';
import type { PodTls, ServiceName } from '../../model/service.ts';
import type { Place, Remarks } from '../objects/remark.ts';
import { settle, type Words } from '../objects/service-settings.ts';
import type { DestinationRuleReading } from './destination-rule.ts';

/** What a DestinationRule says of the pods of its host. */
export interface Said {
  /** `DestinationRule shop/web` */
  readonly subject: string;
  readonly words: Words | undefined;
  /** Undefined: in the clear. A text: why the pods cannot be spoken to. */
  readonly tls: PodTls | string | undefined;
}

/** Reads the settings of a rule; what cannot be used is told, and not said. */
export function saidOf(subject: string, reading: DestinationRuleReading, remarks: Remarks): Said {
  return { subject, words: wordsOf(subject, reading, remarks), tls: tlsOf(reading, remarks) };
}

function wordsOf(subject: string, { keys = {}, places }: DestinationRuleReading, remarks: Remarks): Words | undefined {
  if (Object.keys(keys).length === 0) return undefined;
  const words = { subject, keys };
  // Whatever the Service: the settings are read the same way.
  const settled = settle('rule' as ServiceName, { kind: 'static', addresses: [] }, words, 'http1');
  if (settled.ok) return words;
  const bad = settled.errors.map((problem) => tell(problem, places, remarks));
  const good = Object.fromEntries(Object.entries(keys).filter(([key]) => !bad.includes(key)));
  return Object.keys(good).length === 0 ? undefined : { subject, keys: good };
}

/** The first key of what is wrong. */
function tell({ path = '', message, fix }: Problem, places: ReadonlyMap<string, Place>, remarks: Remarks): string {
  const key = /^[a-z_0-9]+/.exec(path)?.[0] ?? '';
  const place = places.get(key);
  if (place !== undefined) remarks.refuse(place, message, fix ?? 'write another value');
  return key;
}

function tlsOf({ tls }: DestinationRuleReading, remarks: Remarks): Said['tls'] {
  if (tls === undefined) return undefined;
  const asked = tls.name === undefined ? {} : { serverName: tls.name };
  if (tls.insecure) return { ...asked, authorities: { kind: 'any' }, names: [] };
  if (tls.ca !== undefined) {
    const message = `caCertificates ${tls.ca.path} is a file of another proxy, so its pods cannot be checked`;
    remarks.refuse(tls.ca.place, message, 'write a service of the route file with protocol: https and tls: {ca: ...}');
    return message;
  }
  const names = tls.name === undefined ? [] : [{ kind: 'dns' as const, value: tls.name }];
  return { ...asked, authorities: { kind: 'system' }, names };
}
