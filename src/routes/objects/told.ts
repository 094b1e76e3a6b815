import type { Problem } from '../../model/problem.ts';
import type { KubeObject, Resource } from './object.ts';
import type { Remark } from './remark.ts';

/** Something that an object is told by an Event. */
export interface Told {
  readonly resource: Omit<Resource<KubeObject>, 'read'>;
  readonly object: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** Longest note that the API takes. */
export const LONGEST_NOTE = 1024;

/** What is not done of an object is an Event each; what is only a little different shares as few as it fits into. */
export function toldOf(resource: Told['resource'], object: KubeObject, remarks: readonly Remark[]): readonly Told[] {
  const refused = remarks.filter((one) => one.refused).map(textOf);
  const notes = remarks.filter((one) => !one.refused).map(textOf);
  const told = (type: Told['type'], reason: string) => (note: string) => ({ resource, object, type, reason, note });
  return [...refused.map(told('Warning', 'NotCarriedOver')), ...packed(notes).map(told('Normal', 'Different'))];
}

/** What is not done, as problems of the source. */
export function problemsOf(subject: string, remarks: readonly Remark[]): readonly Problem[] {
  return remarks
    .filter(({ refused }) => refused)
    .map(({ path, message, fix }) => ({
      severity: 'warning',
      subject,
      ...(path === '' ? {} : { path }),
      message,
      fix,
    }));
}

function textOf({ path, message, fix }: Remark): string {
  return `${path === '' ? '' : `${path}: `}${message}; ${fix}`;
}

function packed(texts: readonly string[]): readonly string[] {
  const notes: string[] = [];
  for (const text of texts) {
    const longer = `${notes.at(-1) ?? ''}\n${text}`;
    if (notes.length > 0 && longer.length <= LONGEST_NOTE) notes.splice(-1, 1, longer);
    else notes.push(text);
  }
  return notes;
}
