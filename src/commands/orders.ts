import type { Command } from 'commander';
import type { HostPort } from '../base/host-port.ts';
import { giveOrder } from './admin-client.ts';
import { EXIT, failWith } from './exit.ts';
import { adminOption, DEFAULT_ADMIN } from './status.ts';

interface Options {
  readonly admin?: HostPort;
}

const WHO =
  '\nWho gave the order is shown in `sluice status`: your user and machine, or SLUICE_BY. Orders outlive a restart of Sluice (--state-dir).';

/** `sluice pause SERVICE`. */
export function addPause(program: Command): void {
  addOrder(program, {
    name: 'pause',
    argument: '<service>',
    of: 'service',
    description: 'send a service no more requests: they wait, and those at its pods finish',
    example: 'sluice pause codec',
  });
}

/** `sluice resume SERVICE`. */
export function addResume(program: Command): void {
  addOrder(program, {
    name: 'resume',
    argument: '<service>',
    of: 'service',
    description: 'take back `sluice pause`',
    example: 'sluice resume codec',
  });
}

/** `sluice drain POD`. */
export function addDrain(program: Command): void {
  addOrder(program, {
    name: 'drain',
    argument: '<pod>',
    of: 'pod',
    description: 'send a pod no more requests; it finishes what it has',
    example: 'sluice drain 10.0.0.1:8080',
  });
}

/** `sluice undrain POD`. */
export function addUndrain(program: Command): void {
  addOrder(program, {
    name: 'undrain',
    argument: '<pod>',
    of: 'pod',
    description: 'take back `sluice drain`',
    example: 'sluice undrain 10.0.0.1:8080',
  });
}

/** `sluice forget ENVOY`. */
export function addForget(program: Command): void {
  addOrder(program, {
    name: 'forget',
    argument: '<envoy>',
    of: 'envoy',
    description: 'say that an Envoy which is away has ended for good: its slots go to the others',
    example: 'sluice forget edge-1',
  });
}

interface Order {
  readonly name: string;
  readonly argument: string;
  readonly of: 'service' | 'pod' | 'envoy';
  readonly description: string;
  readonly example: string;
}

const NAMES = {
  service: 'its name',
  pod: 'its address, its IP address for all its ports, or its name in Kubernetes',
  envoy: 'its node id',
} as const;

function addOrder(program: Command, { name, argument, of, description, example }: Order): void {
  program
    .command(name)
    .description(description)
    .argument(argument, NAMES[of])
    .addOption(adminOption())
    .addHelpText('after', `\nExample:\n  ${example}\n${WHO}`)
    .action(async (what: string, { admin = DEFAULT_ADMIN }: Options) => {
      const done = await giveOrder(admin, `/${name}?${new URLSearchParams({ [of]: what })}`);
      if (done.ok) process.stdout.write(`${done.value}\n`);
      else failWith(EXIT.failed, done.errors);
    });
}
