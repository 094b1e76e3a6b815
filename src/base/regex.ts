/** A regular expression for this text and nothing else. */
export function regexLiteral(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
