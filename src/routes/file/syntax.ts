import type { YAMLError } from 'yaml';
import type { Complaint } from './report.ts';

const OWN_WORDS: Partial<Record<YAMLError['code'], Complaint>> = {
  TAB_AS_INDENT: { message: 'a tab is used for indentation', fix: 'write spaces' },
  BAD_INDENT: {
    message: 'the indentation does not fit',
    fix: 'begin all keys of one map, and all items of one list, in the same column',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a key goes over several lines',
    fix: 'write "key: value", with the colon and a space on the line of the key',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second ": " on one line',
    fix: 'put the value in quotes if the colon belongs to it, else begin a new line',
  },
  BAD_DQ_ESCAPE: {
    message: 'a backslash in double quotes that YAML does not know',
    fix: "write it in single quotes: '\\d'",
  },
};

/** What the YAML library calls signs. */
const SIGNS: Readonly<Record<string, string>> = {
  'flow-seq-start': '"["',
  'flow-seq-end': '"]"',
  'flow-map-start': '"{"',
  'flow-map-end': '"}"',
  'seq-item-ind': '"-"',
  'map-value-ind': '":"',
  'explicit-key-ind': '"?"',
  comma: '","',
  scalar: 'a value',
};

/** Said of a file of a chart, before Helm has filled it in. */
export const TEMPLATE: Complaint = {
  message: 'a template that is not filled in: {{ }}',
  fix: 'use the file that `helm template` (or what else fills it in) writes',
};

/** Said of a file that would keep the parser busy for minutes. */
export const TOO_DEEP: Complaint = {
  message: 'the values are nested too deeply',
  fix: 'see that every bracket is closed',
};

/** Far more than any route file has, few enough for the parser: its time grows with the square of the depth. */
const DEEPEST = 500;

/** Whether brackets, or dashes on one line, are nested deeper than any route file has them. */
export function nestsTooDeeply(text: string): boolean {
  let depth = 0;
  for (const sign of text.matchAll(/[[\]{}]/g)) {
    depth = '[{'.includes(sign[0]) ? depth + 1 : Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return text.includes('- '.repeat(DEEPEST));
}

/** What is wrong with the YAML on `line`, in words for those who do not know YAML's grammar. */
export function explainSyntax(error: YAMLError, line: string): Complaint {
  if (/[{[].*\$\{/.test(line)) {
    return { message: 'not valid YAML', fix: `inside { } and [ ] put a placeholder in quotes: "\${NAME}"` };
  }
  if (/\{\{.*\}\}/.test(line)) return TEMPLATE;
  const v6 = /\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]:\d+/.exec(line)?.[0];
  if (v6 !== undefined) return { message: 'a text that begins with "["', fix: `write it in quotes: "${v6}"` };
  if (error.code === 'MISSING_CHAR' && /^Implicit (map )?keys need/.test(error.message)) {
    return { message: 'a key without a value', fix: 'write "key: value", with a space after the colon' };
  }
  const closing = /must .*end with an? (.)/.exec(error.message)?.[1];
  if (closing !== undefined) return { message: 'a bracket is not closed', fix: `write ${closing} where it ends` };
  if (error.code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  const own = OWN_WORDS[error.code];
  if (own !== undefined) return own;
  const token = /^Unexpected ([a-z-]+)(?: token)? (?:at node end|in)/.exec(error.message)?.[1];
  const sign = token === undefined ? undefined : SIGNS[token];
  if (sign !== undefined) {
    const fix = 'put a text with such signs in quotes, or see that every bracket is closed';
    return { message: `not valid YAML: ${sign} is not expected here`, fix };
  }
  const [message = ''] = error.message.split('\n');
  const fix = 'check brackets, quotes and indentation here and on the line above';
  return { message: `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`, fix };
}

/** Whether an error after another one is most likely only its consequence: the parser has lost its way. */
export function isConsequence(error: YAMLError): boolean {
  return error.code === 'UNEXPECTED_TOKEN' || error.code === 'BAD_INDENT' || error.code === 'MISSING_CHAR';
}
