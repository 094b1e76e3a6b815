import { request } from 'node:http';
import { hostname, userInfo } from 'node:os';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { httpGet } from '../envoy/http-get.ts';

/** How long a running Sluice may take to answer, in milliseconds. */
const ANSWER_MS = 5000;

/** Asks a running Sluice for a page. Errors: why there is no good answer, and what to do. */
export async function askAdmin(admin: HostPort, path: string): Promise<Result<string, string>> {
  const answer = await httpGet(admin, path, AbortSignal.timeout(ANSWER_MS));
  if (!answer.ok) return fail(...unreachable(admin, answer.errors.join('; ')));
  const { status, body } = answer.value;
  return status === 200 ? ok(body) : fail(body.trim());
}

/** Gives a running Sluice an order. What it did, in a sentence; errors: why not. */
export function giveOrder(admin: HostPort, path: string): Promise<Result<string, string>> {
  return new Promise((resolve) => {
    const failed = (reason: string) => resolve(fail(...unreachable(admin, reason)));
    const sent = request(
      {
        ...admin,
        path,
        method: 'POST',
        agent: false,
        headers: { 'x-sluice-order': '1', 'x-sluice-by': giver(), 'content-length': 0 },
        signal: AbortSignal.timeout(ANSWER_MS),
      },
      async (response) => {
        let body = '';
        for await (const chunk of response) body += String(chunk);
        resolve(response.statusCode === 200 ? ok(body.trim()) : fail(body.trim() || `status ${response.statusCode}`));
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => {
      failed(error.code === 'ECONNREFUSED' ? 'connection refused' : error.message);
    });
    sent.end();
  });
}

/** What to print when what answers there is something else. */
export function notSluice(admin: HostPort): string {
  return `What answers at http://${formatHostPort(admin)} is not Sluice, or another version of it. Say where Sluice answers with \`--admin URL\`.`;
}

/** What to print when nothing answers there, and why. */
export function unreachable(admin: HostPort, reason: string): readonly string[] {
  return [
    `Cannot reach Sluice at http://${formatHostPort(admin)}: ${reason}.`,
    'Start one with `sluice run` or `sluice serve --routes FILE`, or say where it answers with `--admin URL`.',
  ];
}

/** Who gives orders here: `kim@build-3`. */
function giver(): string {
  const { USER, SLUICE_BY } = process.env;
  if (SLUICE_BY) return SLUICE_BY;
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without a name, as in many containers.
    return `${USER ?? 'somebody'}@${hostname()}`;
  }
}
