import type { PodTls } from '../../model/service.ts';
import type { Remarks } from '../objects/remark.ts';
import { readableWords, type Words } from '../objects/service-settings.ts';
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
  const { keys = {}, places } = reading;
  return { subject, words: readableWords({ subject, keys }, places, remarks), tls: tlsOf(reading, remarks) };
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
