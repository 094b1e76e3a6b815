import { element, setText } from './text.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Of the drawing; the page stretches it. */
const WIDTH = 360;
const HEIGHT = 100;
/** 15 minutes. */
const SPAN_MS = 900_000;

/** Lines over the last 15 minutes. `series`: name, className, read(sample) to a number or undefined, area (shaded). */
export class Chart {
  constructor(title, format, series) {
    this.format = format;
    this.series = series;
    this.samples = [];
    this.svg = document.createElementNS(SVG, 'svg');
    this.svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute('preserveAspectRatio', 'none');
    this.svg.setAttribute('role', 'img');
    this.shades = series.map(({ className, area }) => (area ? this.path(`${className} shade`) : undefined));
    this.paths = series.map(({ className }) => this.path(className));
    this.cross = this.path('cross');
    this.top = element('span', 'top-value');
    this.values = series.map(({ className }) => element('b', className));
    const legend = series.map(({ name }, index) => element('span', '', `${name} `, this.values[index]));
    const plot = element('div', 'plot', this.svg, this.top);
    const axis = element('div', 'axis', element('span', '', '15 min ago'), element('span', '', 'now'));
    this.root = element('figure', 'chart', element('figcaption', '', element('em', '', title), ...legend), plot, axis);
    this.title = title;
    plot.addEventListener('pointermove', (event) => this.point(event.offsetX / plot.clientWidth));
    plot.addEventListener('pointerleave', () => this.point(undefined));
  }

  /** Draws these samples, oldest first. */
  draw(samples) {
    this.samples = samples;
    this.end = samples.at(-1)?.at ?? 0;
    const read = this.series.map(({ read }) => samples.map(read));
    const top = Math.max(0, ...read.flat().filter((value) => typeof value === 'number'));
    const scale = top === 0 ? 0 : (HEIGHT - 8) / top;
    this.series.forEach((_, index) => {
      const points = samples.map(({ at }, sample) => [this.x(at), read[index][sample]]);
      this.paths[index].setAttribute('d', line(points, scale, false));
      this.shades[index]?.setAttribute('d', line(points, scale, true));
    });
    setText(this.top, top === 0 ? '' : this.format(top));
    this.svg.setAttribute('aria-label', `${this.title}, the last 15 minutes, highest ${this.format(top)}`);
    this.point(undefined);
  }

  /** Shows the values at a share of the width; undefined: the newest. */
  point(share) {
    const at = share === undefined ? this.end : this.end - SPAN_MS * (1 - share);
    const sample = this.samples.findLast((one) => one.at <= at) ?? this.samples[0];
    this.series.forEach(({ read }, index) => {
      const value = sample === undefined ? undefined : read(sample);
      setText(this.values[index], typeof value === 'number' ? this.format(value) : '–');
    });
    this.cross.setAttribute('d', share === undefined || !sample ? '' : `M${this.x(sample.at)} 0V${HEIGHT}`);
  }

  x(at) {
    return Number((WIDTH - ((this.end - at) / SPAN_MS) * WIDTH).toFixed(1));
  }

  path(className) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', className);
    path.setAttribute('vector-effect', 'non-scaling-stroke');
    this.svg.append(path);
    return path;
  }
}

/** A path through the points that have a value, with gaps where there is none. */
function line(points, scale, area) {
  const runs = [[]];
  for (const [x, value] of points) {
    if (typeof value === 'number') runs.at(-1).push([x, Number((HEIGHT - 2 - value * scale).toFixed(1))]);
    else runs.push([]);
  }
  return runs.map((run) => strokes(run, area)).join('');
}

function strokes(run, area) {
  const [first] = run;
  if (first === undefined) return '';
  // A point alone is a short dash, or nobody would see it.
  const middle =
    run.length === 1
      ? 'h1.5'
      : run
          .slice(1)
          .map(([x, y]) => `L${x} ${y}`)
          .join('');
  const path = `M${first[0]} ${first[1]}${middle}`;
  return area ? `${path}V${HEIGHT}H${first[0]}Z` : path;
}
