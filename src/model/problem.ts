/** Where in a text something is: 1-based line and column. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something that is wrong and that a person can mend. */
export interface Problem {
  /** An `error` keeps the input it belongs to from being used; a `warning` does not. */
  readonly severity: 'error' | 'warning';
  /** What the problem is about: a file's path, `service codec`, `kubernetes ai-media/codec`. */
  readonly subject: string;
  /** Where in the file, if it is about one. */
  readonly position?: Position;
  /** The key path in the file, such as `services.codec.limit`. */
  readonly path?: string;
  /** What is wrong. */
  readonly message: string;
  /** What to write or do instead. */
  readonly fix?: string;
}

/** `routes.yaml:3:10: services.codec.limit: must be … (write …)`: one line, as compilers print it. */
export function formatProblem({ severity, subject, position, path, message, fix }: Problem): string {
  const place = position === undefined ? subject : `${subject}:${position.line}:${position.column}`;
  const what = [
    place,
    ...(severity === 'warning' ? ['warning'] : []),
    ...(path === undefined ? [] : [path]),
    message,
  ].join(': ');
  return fix === undefined ? what : `${what}; ${fix}`;
}
