/**
 * Cuts a stream of text into lines, whatever the pieces it comes in: returns a function that takes the next piece and
 * calls `onLine` for each line that is complete with it. Empty lines are left out.
 */
export function splitLines(onLine: (line: string) => void): (piece: string) => void {
  let begun: string[] = [];
  return (piece) => {
    let from = 0;
    for (let end = piece.indexOf('\n'); end !== -1; end = piece.indexOf('\n', from)) {
      begun.push(piece.slice(from, end));
      const line = begun.join('');
      begun = [];
      from = end + 1;
      if (line !== '') onLine(line);
    }
    if (from < piece.length) begun.push(piece.slice(from));
  };
}
