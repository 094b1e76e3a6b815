/** One element of a picture, as SVG. */
export type Svg = string;

/** Pictures are this wide, in pixels: what fits a page of text. */
export const WIDTH = 840;

const STYLE = `
:root { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --idle: #f0f3f6;
  --a: #0969da; --b: #bc4c00; --c: #1a7f37; --d: #8250df; --over: #cf222e; --rest: #818b98; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --idle: #1c2128; --a: #58a6ff; --b: #f0883e; --c: #3fb950; --d: #bc8cff; --over: #ff7b72; --rest: #7d8590; } }
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--ink); }
.title { font-size: 15px; font-weight: 600; } .soft { fill: var(--soft); font-size: 11px; } .strong { font-weight: 600; }
.end { text-anchor: end; } .mid { text-anchor: middle; }
.axis { stroke: var(--line); stroke-width: 1; } .ideal { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
.paper { fill: var(--paper); } .idle { fill: var(--idle); }`;

/** A colour that follows the reader's light or dark scheme. */
export type Colour = 'a' | 'b' | 'c' | 'd' | 'over' | 'rest' | 'ink';

/** The value for `fill` and `stroke`. */
export function colour(name: Colour): string {
  return `var(--${name})`;
}

/** A whole picture with a title and, for those who cannot see it, a description. It brings its own background. */
export function picture(
  title: string,
  describes: string,
  { height, body }: { height: number; body: readonly Svg[] },
): Svg {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(title)}</title><desc id="d">${escaped(describes)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}" rx="6"/>`,
    text(16, 26, title, 'title'),
    ...body,
    '</svg>\n',
  ].join('\n');
}

/** Text with its baseline at (x, y). */
export function text(x: number, y: number, content: string, classes = ''): Svg {
  return `<text x="${short(x)}" y="${short(y)}"${classes === '' ? '' : ` class="${classes}"`}>${escaped(content)}</text>`;
}

/** A straight line of a class (`axis`, `ideal`). */
export function line(from: readonly [number, number], to: readonly [number, number], classes = 'axis'): Svg {
  return `<line x1="${short(from[0])}" y1="${short(from[1])}" x2="${short(to[0])}" y2="${short(to[1])}" class="${classes}"/>`;
}

/** A line through points; those that are undefined interrupt it. */
export function curve(points: readonly (readonly [number, number] | undefined)[], stroke: Colour, more = ''): Svg {
  let pen = 'M';
  const path = points.map((point) => {
    if (point === undefined) {
      pen = 'M';
      return '';
    }
    const step = `${pen}${short(point[0])} ${short(point[1])}`;
    pen = 'L';
    return step;
  });
  return `<path d="${path.join('')}" fill="none" stroke="${colour(stroke)}" stroke-linejoin="round" ${more}/>`;
}

/** A filled rectangle; `more` are further attributes. */
export function box(at: readonly [number, number], size: readonly [number, number], more: string): Svg {
  return `<rect x="${short(at[0])}" y="${short(at[1])}" width="${short(size[0])}" height="${short(size[1])}" ${more}/>`;
}

/** A dot; hollow ones have only a rim. */
export function dot(x: number, y: number, fill: Colour, { radius = 5, hollow = false } = {}): Svg {
  const paint = hollow ? `fill="var(--paper)" stroke="${colour(fill)}" stroke-width="2"` : `fill="${colour(fill)}"`;
  return `<circle cx="${short(x)}" cy="${short(y)}" r="${radius}" ${paint}/>`;
}

/** A number as short as it can be without being seen to differ. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
