import type { Metrics } from '../status/metrics.ts';
import type { Readiness } from '../status/readiness.ts';
import type { Status } from '../status/status.ts';

/** What the pages are made of; asked anew for every request. */
export interface PageInputs {
  readonly status: () => Status;
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  readonly ready: () => Readiness;
}

/** An answer to a request. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

interface Entry {
  /** What the index says about it. */
  readonly about: string;
  readonly make: (inputs: PageInputs) => Page | Promise<Page>;
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const HTML = 'text/html; charset=utf-8';

const ENTRIES: ReadonlyMap<string, Entry> = new Map([
  ['/', { about: 'this page', make: () => ({ status: 200, type: HTML, body: index() }) }],
  [
    '/healthz',
    // That it is answered at all is the proof: one thread does everything.
    { about: '200 while Sluice runs', make: () => ({ status: 200, type: TEXT, body: 'ok\n' }) },
  ],
  ['/readyz', { about: '200 from when an Envoy has taken a whole configuration; else 503 and why', make: readyPage }],
  [
    '/status',
    {
      about: 'what is true now: services, pods, sources, Envoys, problems (JSON)',
      make: ({ status }) => ({ status: 200, type: JSON_TYPE, body: json(status()) }),
    },
  ],
  [
    '/metrics',
    {
      about: 'metrics for Prometheus',
      make: async ({ status, metrics }) => ({
        status: 200,
        type: metrics.contentType,
        body: await metrics.text(status()),
      }),
    },
  ],
]);

/** The page at `path`; undefined: there is none. Throws (or rejects) what its inputs throw. */
export function makePage(path: string, inputs: PageInputs): Promise<Page> | Page | undefined {
  return ENTRIES.get(path)?.make(inputs);
}

/** A page of one line of text. */
export function textPage(status: number, line: string): Page {
  return { status, type: TEXT, body: `${line}\n` };
}

/** The answer where there is no page: it names those there are. */
export const NOT_FOUND: Page = textPage(
  404,
  `There is no such page. Those there are: ${[...ENTRIES.keys()].join(' ')}`,
);

function readyPage({ ready }: PageInputs): Page {
  const readiness = ready();
  return { status: readiness.ready ? 200 : 503, type: JSON_TYPE, body: json(readiness) };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function index(): string {
  const items = [...ENTRIES].map(([path, { about }]) => `<li><a href="${path}">${path}</a>: ${about}</li>`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sluice</title></head>
<body>
<h1>Sluice</h1>
<ul>
${items.join('\n')}
</ul>
</body>
</html>
`;
}
