import { fail, ok, type Result } from '../../base/result.ts';
import { type Complaint, quote } from './report.ts';

/** The environment that placeholders are taken from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text after replacement, and whether anything was replaced. */
export interface Replaced {
  readonly text: string;
  readonly replaced: boolean;
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` (the default stands for a variable that is unset or empty, as in a shell);
 * `$${` is a plain `${`.
 * Errors: every placeholder that is malformed, or unset without a default.
 */
export function replacePlaceholders(text: string, env: Environment): Result<Replaced, Complaint> {
  if (!text.includes('${')) return ok({ text, replaced: false });
  const complaints: Complaint[] = [];
  let replaced = false;
  const result = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inside: string | undefined, end: string) => {
    if (inside === undefined) return '${';
    replaced = true;
    const value = end === '' ? fail(unclosed(whole)) : look(inside, env);
    if (value.ok) return value.value;
    complaints.push(...value.errors);
    return '';
  });
  return complaints.length > 0 ? fail(...complaints) : ok({ text: result, replaced });
}

function unclosed(whole: string): Complaint {
  return {
    message: `${quote(whole)} has no closing }`,
    fix: `write \${NAME}, or $\${ for the two characters themselves`,
  };
}

function look(inside: string, env: Environment): Result<string, Complaint> {
  const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside) ?? [];
  if (name === undefined || fallback?.includes('${')) {
    const fix = `write \${NAME} or \${NAME:-default}, not nested, or $\${ for the two characters themselves`;
    return fail({ message: `not a placeholder: ${quote(`\${${inside}}`)}`, fix });
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return ok(value === undefined || value === '' ? fallback : value);
  if (value !== undefined) return ok(value);
  const fix = `set ${name} in the environment, or write \${${name}:-default}`;
  return fail({ message: `the environment variable ${name} is not set`, fix });
}
