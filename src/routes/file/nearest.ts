/** The word that `typed` was most likely meant to be, or undefined when none is near enough to be worth naming. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const simple = normalize(typed);
  const ranked = words
    .map((word) => ({ word, distance: editDistance(simple, normalize(word)) }))
    .filter(({ word, distance }) => distance <= Math.max(1, Math.floor(word.length / 3)) && distance < word.length)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.word;
}

/** Spelling that is only a habit: `maxRequests`, `max-requests` and `max_requests` are one word. */
function normalize(word: string): string {
  return word.slice(0, 64).replace(/[-_ ]/g, '').toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, at(before, j - 2) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
