import { readFileSync } from 'node:fs';
import { z } from 'zod';

const { version } = z
  .object({ version: z.string() })
  // The same path from src and, once built, from dist.
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')));

/** The version of this Sluice, from its package.json. */
export const VERSION: string = version;
