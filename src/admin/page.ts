/** An answer to a request. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Of a page that takes other methods: which. */
  readonly allow?: string;
}

/** A page of one line of text. */
export function textPage(status: number, line: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

/** A page of JSON for programs, and readable. */
export function jsonPage(status: number, value: unknown): Page {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value, null, 2)}\n` };
}
