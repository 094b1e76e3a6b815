import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderResources } from '../../src/commands/render.ts';
import { CASES, CASES_FOLDER, readCase } from './read-case.ts';

const WRITE = process.env['SLUICE_GOLDEN'] === 'write';

/** The case that shows everything; others leave out what is the same in all of them. */
const WHOLE = 'every-key';

describe('route file in, Envoy resources out (rewrite: npm run test:golden)', () => {
  test.each(CASES)('%s', (name) => {
    const golden = join(CASES_FOLDER, name, 'resources.yaml');
    // Free of where this checkout is.
    const whole = renderResources(readCase(name)).replaceAll(join(CASES_FOLDER, name), '/case');
    const rendered = name === WHOLE ? whole : withoutCommon(whole, renderResources(readCase(WHOLE)));
    if (WRITE) writeFileSync(golden, rendered);
    expect(existsSync(golden), `${golden} is missing: run npm run test:golden`).toBe(true);
    expect(rendered).toBe(readFileSync(golden, 'utf8'));
  });
});

/** Without resources that are the same in `WHOLE`, and without the local replies of a listener. */
function withoutCommon(text: string, whole: string): string {
  const common = new Set(documents(whole));
  const own = documents(text).filter((document) => !common.has(document));
  return `# Resources and local replies that ${WHOLE} has as well are left out.\n${own.map(withoutReplies).join('')}`;
}

function documents(text: string): readonly string[] {
  return text.split(/^(?=---$)/m);
}

/** The block under `local_reply_config`: all lines that are further in than it. */
function withoutReplies(document: string): string {
  return document.replace(/^( *)local_reply_config:\n(?:\1 .*\n)+/m, '');
}
