import type { Result } from '../base/result.ts';
import type { Metrics } from '../status/metrics.ts';
import type { Readiness } from '../status/readiness.ts';
import type { Status } from '../status/status.ts';
import type { Sample } from '../telemetry/history.ts';
import { jsonPage, type Page, textPage } from './page.ts';

/** What the pages are made of; asked anew for every request. */
export interface PageInputs {
  readonly status: () => Status;
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  readonly ready: () => Readiness;
  /** The last 15 minutes of a service, oldest first; empty: there is none of that name. */
  readonly history: (service: string) => readonly Sample[];
  /** Which route takes a request: `url`, `method`, `header`. Errors: what to write instead. */
  readonly explain: (query: URLSearchParams) => Result<{ readonly taken: boolean; readonly text: string }, string>;
}

type Maker = (inputs: PageInputs, query: URLSearchParams) => Page | Promise<Page>;

const PAGES: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  // That it is answered at all is the proof: one thread does everything.
  ['/healthz', () => textPage(200, 'ok')],
  ['/readyz', readyPage],
  ['/status', ({ status }) => jsonPage(200, status())],
  [
    '/metrics',
    async ({ status, metrics }) => ({ status: 200, type: metrics.contentType, body: await metrics.text(status()) }),
  ],
  ['/explain', explainPage],
  ['/history', ({ history }, query) => jsonPage(200, history(query.get('service') ?? ''))],
]);

/** The page at `path`; undefined: there is none. Throws (or rejects) what its inputs throw. */
export function makePage(
  path: string,
  inputs: PageInputs,
  query = new URLSearchParams(),
): Promise<Page> | Page | undefined {
  return PAGES.get(path)?.(inputs, query);
}

/** The answer where there is no page: it names those there are. */
export const NOT_FOUND: Page = textPage(
  404,
  `There is no such page. Those there are: ${['/', ...PAGES.keys(), '/events'].join(' ')}`,
);

function explainPage({ explain }: PageInputs, query: URLSearchParams): Page {
  const explained = explain(query);
  return explained.ok ? jsonPage(200, explained.value) : textPage(400, explained.errors.join(' '));
}

function readyPage({ ready }: PageInputs): Page {
  const readiness = ready();
  return jsonPage(readiness.ready ? 200 : 503, readiness);
}
