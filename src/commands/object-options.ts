import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import type { ObjectRoutesChoice } from '../control-plane/open-object-routes.ts';

/** Flags for routes from Kubernetes objects. */
export interface ObjectFlags {
  readonly gatewayApi?: boolean;
  readonly gatewayAddress?: readonly string[];
  readonly gatewayStatusAddress?: readonly string[];
}

/** `--gateway-api` and what belongs to it. */
export function addObjectOptions(command: Command): Command {
  return command
    .option('--gateway-api', 'take routes from Gateway API objects as well (GatewayClass sluice)')
    .option(
      '--gateway-address <ip>',
      "an address of Envoy's machine for one Gateway to listen on; may be given several times (default: all Gateways share every address)",
      (text: string, before: readonly string[] = []) => [...before, parseIp(text)],
    )
    .option(
      '--gateway-status-address <address>',
      'where clients reach Gateways that share every address, for their status: an IP address or host name; may be given several times',
      (text: string, before: readonly string[] = []) => [...before, text],
    );
}

/** What the flags choose. */
export function objectRoutes({ gatewayApi, gatewayAddress, gatewayStatusAddress }: ObjectFlags): ObjectRoutesChoice {
  return gatewayApi === true
    ? { gatewayApi: { pool: gatewayAddress ?? [], published: gatewayStatusAddress ?? [] } }
    : {};
}

/** Throws what commander prints to the user. */
function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Write an IP address such as 10.0.0.1.');
  return text;
}
