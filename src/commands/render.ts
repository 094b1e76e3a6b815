import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { TranslateOptions } from '../dataplane/options.ts';
import { translate } from '../dataplane/translate.ts';
import { StaticSource } from '../endpoints/static.ts';
import { formatProblem } from '../model/problem.ts';
import { resolve } from '../model/resolve.ts';
import type { Routing } from '../model/routing.ts';
import { readRoutes } from '../routes/manifests/read-routes.ts';
import { PUSH_ORDER } from '../snapshot/resource.ts';
import { type Snapshot, snapshotOfTypes } from '../snapshot/snapshot.ts';
import { describeResource } from '../xds/debug/descriptors.ts';
import { EXIT, failWith } from './exit.ts';
import { type Rendered, renderDiff } from './render-diff.ts';

/** `sluice render FILE` and `sluice render --diff OLD NEW`. */
export function addRender(program: Command): void {
  program
    .command('render')
    .description('print the Envoy resources a route file becomes, as YAML')
    .argument('<file>', 'the route file, or a file of Kubernetes objects (Ingress, HTTPRoute, VirtualService, …)')
    .argument('[new]', 'with --diff: the route file after the edit')
    .option('--diff', 'print what changes in Envoy from one route file to another, and whether running traffic notices')
    .option('--exit-code', 'with --diff: end with 1 when the two files mean different things')
    .addHelpText(
      'after',
      '\nPods of static services are shown; those that Kubernetes or DNS will tell are not known here. The code of the queue filter is left out.\n\nExamples:\n  sluice render routes.yaml\n  sluice render --diff routes.yaml routes-new.yaml\n  sluice render --diff --exit-code routes.yaml routes-new.yaml',
    )
    .action(render);
}

interface Options {
  readonly diff?: boolean;
  readonly exitCode?: boolean;
}

async function render(file: string, after: string | undefined, { diff, exitCode }: Options): Promise<void> {
  if ((after !== undefined) !== (diff === true)) {
    failWith(EXIT.badInput, [
      'Two route files are compared with `sluice render --diff OLD NEW`; one is printed without.',
    ]);
    return;
  }
  const files = after === undefined ? [file] : [file, after];
  const read = await Promise.all(files.map((one) => readRoutes(one, process.env)));
  const faults = read.flatMap((one) => (one.ok ? [] : one.errors.map(formatProblem)));
  const [first, second] = read.flatMap((one) => (one.ok ? [one.value.routing] : []));
  if (faults.length > 0 || first === undefined) {
    failWith(EXIT.badInput, faults);
    return;
  }
  const rendered = (routing: Routing): Rendered => ({ routing, snapshot: snapshotOf(routing) });
  if (second === undefined) {
    process.stdout.write(renderResources(first));
    return;
  }
  const { differs, text } = renderDiff(rendered(first), rendered(second));
  process.stdout.write(text);
  if (differs && exitCode === true) process.exitCode = EXIT.failed;
}

/** All resources of a routing as a stream of YAML documents, in the order in which Envoy gets them. */
export function renderResources(routing: Routing): string {
  const { types } = snapshotOf(routing);
  const resources = PUSH_ORDER.flatMap((typeUrl) => [...types[typeUrl].resources.values()]);
  return resources.map((resource) => `---\n${stringify(describeResource(resource), { lineWidth: 0 })}`).join('');
}

/** With the filter's code left out: nobody could read it. */
const OPTIONS: TranslateOptions = {
  filter: { kind: 'wasm', code: new Uint8Array(), version: '', guard: new Uint8Array() },
};

/** What Envoy gets when all that is known are static pods. */
export function snapshotOf(routing: Routing, options = OPTIONS): Snapshot {
  const pods = new StaticSource();
  pods.want(routing.services.map(({ locator }) => locator));
  const { services } = resolve(routing, (locator) => pods.pods(locator));
  return snapshotOfTypes(translate({ routing, services }, options).resources);
}
