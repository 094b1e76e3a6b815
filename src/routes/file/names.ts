import { fail, ok, type Result } from '../../base/result.ts';
import type { ServiceName } from '../../model/service.ts';
import { type Complaint, quote } from './report.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Names of Kubernetes namespaces and Services: RFC 1123 labels. */
export function checkLabel(text: string): Result<string, Complaint> {
  if (LABEL.test(text) && text.length <= 63) return ok(text);
  const rule = 'a name has 1 to 63 small letters, digits and inner hyphens';
  const better = guess(text, /[^a-z0-9-]+/g, 63);
  return fail({
    message: `not a Kubernetes name: ${quote(text)}`,
    fix: better === undefined ? rule : `write ${better} (${rule})`,
  });
}

/** Names of a Service's port: as a label, at most 15 characters, with a letter (RFC 6335). */
export function checkPortName(text: string): Result<string, Complaint> {
  if (LABEL.test(text) && text.length <= 15 && /[a-z]/.test(text) && !text.includes('--')) return ok(text);
  const fix = 'write a number from 1 to 65535, or a name of up to 15 small letters, digits and inner hyphens';
  return fail({ message: `not a port of a Service: ${quote(text)}`, fix });
}

/** The rule for service names; the name becomes part of Envoy's cluster and statistics names. */
export function checkServiceName(text: string): Result<ServiceName, Complaint> {
  // The rule is what the brand stands for.
  if (/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(text) && text.length <= 63) return ok(text as ServiceName);
  const rule = 'a name has 1 to 63 small letters, digits and inner - . _';
  const better = guess(text, /[^a-z0-9._-]+/g, 63);
  return fail({
    message: `not a service name: ${quote(text)}`,
    fix: better === undefined ? rule : `write ${better} (${rule})`,
  });
}

/** The nearest allowed name, if there is one. */
function guess(text: string, refused: RegExp, longest: number): string | undefined {
  const name = text
    .toLowerCase()
    .replace(refused, '-')
    .slice(0, longest)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name === '' ? undefined : name;
}
