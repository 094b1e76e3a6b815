/** How many texts are kept; then all are forgotten, and kept anew as they come. */
const MOST_TEXTS = 20_000;
/** Longer ones are rare, and not worth keeping. */
const LONGEST_TEXT = 256;

const known = new Map<string, string>();

/** One and the same string for equal texts: a thousand clients name the same resources, and each name is kept for each. */
export function intern(text: string): string {
  const one = known.get(text);
  if (one !== undefined) return one;
  if (text.length > LONGEST_TEXT) return text;
  if (known.size >= MOST_TEXTS) known.clear();
  known.set(text, text);
  return text;
}
