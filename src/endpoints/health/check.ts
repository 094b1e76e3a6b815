import { askPod, type Question } from '../ask-pod.ts';
import { status200 } from './verdict.ts';

/** Asks a pod whether it is well: whether it answers 200 in time. Never rejects. */
export async function check(question: Omit<Question, 'mostBytes'>): Promise<boolean> {
  const answer = await askPod({ ...question, mostBytes: 0 });
  return status200(answer?.status);
}
