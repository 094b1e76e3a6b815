import { askPod, type Question } from '../ask-pod.ts';

/** More than this is no list of jobs. */
const MOST_BYTES = 1024 * 1024;

/** Asks a pod which jobs it has; undefined: it did not answer, or with something else. Never rejects. */
export async function askJobs(question: Omit<Question, 'mostBytes'>): Promise<ReadonlySet<string> | undefined> {
  const answer = await askPod({ ...question, mostBytes: MOST_BYTES });
  return answer?.status === 200 ? jobsIn(answer.body) : undefined;
}

/** The jobs in an answer: a JSON list of their ids. Undefined: it is none. */
export function jobsIn(body: string): ReadonlySet<string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || !value.every((id) => typeof id === 'string')) return undefined;
  return new Set(value);
}
