import { InvalidArgumentError, Option } from 'commander';
import { type Millis, parseDuration } from '../base/duration.ts';
import { LOG_LEVELS, type LogLevel } from '../base/log.ts';
import type { BindAddress } from '../xds/server/address.ts';

/** `--routes FILE`. */
export function routesOption(): Option {
  return new Option('-r, --routes <file>', 'the route file').env('SLUICE_ROUTES');
}

/** `--log-level LEVEL`. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'what to log')
    .choices(LOG_LEVELS)
    .default('info' satisfies LogLevel)
    .env('SLUICE_LOG_LEVEL');
}

/** A name to be shown. Throws what commander prints to the user. */
export function nameArgument(text: string): string {
  if (!/^[\x21-\x7e]{1,100}$/.test(text))
    throw new InvalidArgumentError('Write up to 100 letters, digits and signs, without a space.');
  return text;
}

/** `--filter on|off`. */
export function filterOption(): Option {
  return new Option(
    '--filter <on|off>',
    'off: for an Envoy without Wasm; each pod of a service with a limit has a queue of its own then',
  )
    .choices(['on', 'off'])
    .default('on')
    .env('SLUICE_FILTER');
}

/** A TCP port, 0 to 65535. Throws what commander prints to the user. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port from 0 to 65535.');
  return port;
}

/** A number of worker threads. Throws what commander prints to the user. */
export function parseWorkers(text: string): number {
  const workers = Number(text);
  if (!/^\d{1,3}$/.test(text) || workers < 1) throw new InvalidArgumentError('Write a number from 1 to 999.');
  return workers;
}

/** `127.0.0.1:18000`, `[::1]:18000` or `unix:/run/sluice.sock`. Throws what commander prints to the user. */
export function parseBindAddress(text: string): BindAddress {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) {
    throw new InvalidArgumentError('Write one like 127.0.0.1:18000, [::1]:18000 or unix:/run/sluice.sock.');
  }
  return { kind: 'tcp', host, port: parsePort(match[3] ?? '') };
}

/** `--kubeconfig FILE`. */
export function kubeconfigOption(): Option {
  return new Option(
    '--kubeconfig <file>',
    'how to reach Kubernetes; else $KUBECONFIG, the cluster Sluice runs in, or ~/.kube/config',
  );
}

/** `--pod-deletion-cost`. */
export function deletionCostOption(): Option {
  return new Option(
    '--pod-deletion-cost',
    'write into each Pod whether it works on something, so that Kubernetes takes idle ones first; needs the right to patch Pods',
  ).env('SLUICE_POD_DELETION_COST');
}

/** `--admin-host NAME`. */
export function adminHostOption(): Option {
  return new Option(
    '--admin-host <name>',
    'a further name by which people ask for the admin, such as that of a proxy before it; may be given several times',
  ).argParser((text, before: readonly string[] = []) => [...before, text.toLowerCase()]);
}

/** A duration such as `30s`. Throws what commander prints to the user. */
export function durationArgument(text: string): Millis {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.errors.join('; '));
  return parsed.value;
}
