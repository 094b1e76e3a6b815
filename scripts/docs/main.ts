import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownFiles, ROOT } from './files.ts';
import { refresh } from './refresh.ts';

// npm run docs: makes the generated parts of the documentation again.
for (const file of markdownFiles()) {
  const path = join(ROOT, file);
  const before = readFileSync(path, 'utf8');
  const after = refresh(before);
  if (after === before) continue;
  writeFileSync(path, after);
  process.stdout.write(`${file} was brought up to date\n`);
}
