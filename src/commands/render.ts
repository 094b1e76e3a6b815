import type { Command } from 'commander';
import { stringify } from 'yaml';
import { formatProblem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import { reconcile } from '../reconcile.ts';
import { PUSH_ORDER } from '../snapshot/resource.ts';
import { makeSnapshot } from '../snapshot/snapshot.ts';
import { readRouteFile } from '../source/route-file/read.ts';
import { StaticSource } from '../source/static.ts';
import { translate } from '../translate/translate.ts';
import { describeResource } from '../xds/descriptors.ts';
import { EXIT, failWith } from './exit.ts';
import { kickPortOption } from './options.ts';

/** `sluice render FILE`. */
export function addRender(program: Command): void {
  program
    .command('render')
    .description('print the Envoy resources a route file becomes, as YAML')
    .argument('<file>', 'the route file')
    .addOption(kickPortOption())
    .addHelpText(
      'after',
      '\nPods of static services are shown; those that Kubernetes or DNS will tell are not known here.\n\nExample:\n  sluice render routes.yaml',
    )
    .action(async (file: string, { kickPort }: { kickPort: number }) => {
      const read = await readRouteFile(file, process.env);
      if (!read.ok) {
        failWith(EXIT.badInput, read.errors.map(formatProblem));
        return;
      }
      process.stdout.write(renderResources(read.value.routing, kickPort));
    });
}

/** All resources of a routing as a stream of YAML documents, in the order in which Envoy gets them. */
export function renderResources(routing: Routing, kickPort: number): string {
  const pods = new StaticSource();
  pods.want(routing.services.map(({ locator }) => locator));
  const { model } = reconcile({
    routing,
    podsOf: (locator) => pods.pods(locator),
    loads: new Map(),
    before: undefined,
    draining: new Map(),
    now: 0,
  });
  const { types } = makeSnapshot(translate(model, { kickPort }));
  const resources = PUSH_ORDER.flatMap((typeUrl) => [...types[typeUrl].resources.values()]);
  return resources.map((resource) => `---\n${stringify(describeResource(resource), { lineWidth: 0 })}`).join('');
}
