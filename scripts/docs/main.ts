import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { routeFileSchema } from '../../src/routes/file/schema.ts';
import { slotPolicyDefinition } from '../../src/routes/objects/slot-policy-crd.ts';
import { CHART_FILES, markdownFiles, ROOT } from './files.ts';
import { pictures } from './picture.ts';
import { refresh } from './refresh.ts';

// npm run docs: makes the generated parts of the documentation again.
for (const file of markdownFiles()) renew(file, refresh(readFileSync(join(ROOT, file), 'utf8')));
for (const [name, svg] of Object.entries(pictures())) renew(join('docs', name), svg);
renew('docs/route-file.schema.json', `${JSON.stringify(routeFileSchema(), null, 2)}\n`);
renew('k8s/crds/slot-policy.yaml', definitionText(slotPolicyDefinition()));
for (const [copy, original] of Object.entries(CHART_FILES)) renew(copy, readFileSync(join(ROOT, original), 'utf8'));

function definitionText(definition: object): string {
  return `# Made by npm run docs from the table of keys; see docs/gateway-api.md.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

function renew(file: string, text: string): void {
  const path = join(ROOT, file);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  writeFileSync(path, text);
  process.stdout.write(`${file} was brought up to date\n`);
}
