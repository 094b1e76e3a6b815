import { queuePictures } from './queue-pictures.ts';

/** The colours of one picture. */
interface Palette {
  readonly page: string;
  readonly text: string;
  readonly quiet: string;
  readonly line: string;
  readonly frame: string;
  readonly box: string;
  readonly busy: string;
  readonly wait: string;
}

/** The pictures of the documents, by their file names below docs. */
export function pictures(): Readonly<Record<string, string>> {
  // What is drawn is the same in both.
  return { 'how-it-works-light.svg': draw(LIGHT), 'how-it-works-dark.svg': draw(DARK), ...queuePictures() };
}

const LIGHT: Palette = {
  page: '#ffffff',
  text: '#1f2328',
  quiet: '#59636e',
  line: '#6e7781',
  frame: '#f6f8fa',
  box: '#ffffff',
  busy: '#1a7f5a',
  wait: '#bf6a02',
};

const DARK: Palette = {
  page: '#0d1117',
  text: '#e6edf3',
  quiet: '#9198a1',
  line: '#8b949e',
  frame: '#161b22',
  box: '#0d1117',
  busy: '#3fb984',
  wait: '#e3953a',
};

const WIDTH = 1080;
const HEIGHT = 470;

function draw(palette: Palette): string {
  const { page, text, quiet, line } = palette;
  const font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';
  const label =
    'Requests go from clients through the listener and the queue filter in Envoy to the pod with the fewest requests; Sluice watches route file, Kubernetes and DNS, tells Envoy over xDS, and talks with the filter over a stream.';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}" ${font}>
<style>
  text { fill: ${text}; font-size: 14px }
  .title { font-weight: 600 }
  .quiet { fill: ${quiet}; font-size: 12.5px }
  .way { stroke: ${line}; stroke-width: 2; fill: none; marker-end: url(#tip) }
  .word { stroke: ${line}; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; marker-end: url(#tip) }
</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="${line}"/></marker></defs>
<rect width="${WIDTH}" height="${HEIGHT}" fill="${page}"/>
${[control(palette), envoy(palette), pods(palette), arrows()].join('\n')}
</svg>
`;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function rect({ x, y, width, height }: Box, fill: string, stroke: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" fill="${fill}" stroke="${stroke}" stroke-width="1.5"/>`;
}

/** A box with a title and, below it, a line of smaller words for each of `words`. */
function box(place: Box, { box: fill, line }: Palette, title: string, ...words: readonly string[]): string {
  const x = place.x + 14;
  return [
    rect(place, fill, line),
    `<text class="title" x="${x}" y="${place.y + 26}">${title}</text>`,
    ...words.map((word, index) => `<text class="quiet" x="${x}" y="${place.y + 48 + 18 * index}">${word}</text>`),
  ].join('\n');
}

function control(palette: Palette): string {
  return [
    box({ x: 130, y: 20, width: 150, height: 86 }, palette, 'Sources', 'route file', 'Kubernetes, DNS'),
    box(
      { x: 400, y: 20, width: 420, height: 86 },
      palette,
      'Sluice',
      'turns them into Envoy configuration; no request goes',
      'through it, and traffic goes on while it is down',
    ),
  ].join('\n');
}

function envoy(palette: Palette): string {
  const { frame, line, wait, busy } = palette;
  const slot = (x: number, y: number, colour: string) =>
    `<rect x="${x}" y="${y}" width="16" height="22" rx="3" fill="${colour}"/>`;
  const waiting = [0, 1, 2, 3, 4].map((index) => slot(362 + 22 * index, 322, wait));
  const inUse = [0, 1, 2, 3].map((index) => slot(362 + 22 * index, 376, busy));
  return [
    rect({ x: 130, y: 190, width: 690, height: 255 }, frame, line),
    '<text class="title" x="146" y="216">Envoy</text>',
    box({ x: 150, y: 234, width: 150, height: 185 }, palette, 'Listener', 'your port', 'your routes'),
    box(
      { x: 345, y: 234, width: 215, height: 185 },
      palette,
      'Queue filter',
      'one queue for each service,',
      'first in, first out',
    ),
    '<text class="quiet" x="480" y="338">waiting</text>',
    '<text class="quiet" x="458" y="392">in use</text>',
    ...waiting,
    ...inUse,
    box(
      { x: 605, y: 234, width: 190, height: 185 },
      palette,
      'Cluster',
      'named as the service',
      'the pod with the fewest',
      'requests, never more',
      'than its limit',
    ),
  ].join('\n');
}

function pods({ box: fill, line, busy }: Palette): string {
  return [0, 1]
    .map((index) => {
      const y = 234 + 100 * index;
      const slots = [0, 1].map(
        (slot) => `<rect x="${931 + 40 * slot}" y="${y + 38}" width="30" height="30" rx="4" fill="${busy}"/>`,
      );
      return [
        rect({ x: 915, y, width: 145, height: 84 }, fill, line),
        `<text class="title" x="929" y="${y + 25}">Pod ${index + 1}, limit 2</text>`,
        ...slots,
      ].join('\n');
    })
    .join('\n');
}

function arrows(): string {
  return [
    '<text class="title" x="20" y="305">Clients</text>',
    '<path class="way" d="M20 326H146"/>',
    '<path class="way" d="M300 326H341"/>',
    '<path class="way" d="M560 326H601"/>',
    '<path class="way" d="M795 316L911 280"/>',
    '<path class="way" d="M795 336L911 372"/>',
    '<path class="word" d="M280 63H396"/>',
    '<path class="word" d="M500 106V186"/>',
    '<text class="quiet" x="336" y="150" >configuration (xDS),</text>',
    '<text class="quiet" x="336" y="167">pods and limits</text>',
    '<path class="word" d="M640 190V110"/>',
    '<text class="quiet" x="652" y="150">who waits, what each</text>',
    '<text class="quiet" x="652" y="167">pod has, what failed</text>',
  ].join('\n');
}
