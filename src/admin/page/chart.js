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
    this.title = title;
    this.format = format;
    this.series = series;
    this.samples = [];
    this.svg = document.createElementNS(SVG, 'svg');
    this.svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute('preserveAspectRatio', 'none');
    this.svg.setAttribute('aria-hidden', 'true');
    this.shades = series.map(({ className, area }) => (area ? this.path(`${className} shade`) : undefined));
    this.paths = series.map(({ className }) => this.path(className));
    this.cross = this.path('cross');
    this.top = element('span', 'top-value');
    this.when = element('span', 'when');
    this.values = series.map(({ className }) => element('b', className));
    const legend = series.map(({ name }, index) => element('span', '', `${name} `, this.values[index]));
    this.plot = element('div', 'plot', this.svg, this.top, this.when);
    this.begin = element('span', '', '15 min ago');
    this.finish = element('span', '', 'now');
    const axis = element('div', 'axis', this.begin, this.finish);
    this.root = element(
      'figure',
      'chart',
      element('figcaption', '', element('em', '', title), ...legend),
      this.plot,
      axis,
    );
    this.listen();
  }

  /** By pointer and by keyboard: a cursor that tells time and values. */
  listen() {
    this.plot.tabIndex = 0;
    this.plot.setAttribute('role', 'slider');
    this.plot.setAttribute('aria-label', `${this.title}, the last 15 minutes`);
    const point = ({ offsetX }) => this.point(this.at(offsetX / this.plot.clientWidth));
    this.plot.addEventListener('pointermove', point);
    this.plot.addEventListener('pointerdown', point);
    this.plot.addEventListener('pointerleave', () => this.point(undefined));
    this.plot.addEventListener('blur', () => this.point(undefined));
    this.plot.addEventListener('keydown', (event) => {
      const last = this.samples.length - 1;
      const from = this.index ?? last;
      const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
      if (to === undefined || last < 0) return;
      event.preventDefault();
      this.point(Math.min(last, Math.max(0, to)));
    });
  }

  /** Draws these samples, oldest first. */
  draw(samples) {
    // The cursor stays at its moment while time goes on.
    const held = this.index === undefined ? undefined : this.samples[this.index]?.at;
    this.samples = samples;
    this.end = samples.at(-1)?.at ?? 0;
    const read = this.series.map(({ read }) => samples.map(read));
    const top = Math.max(0, ...read.flat().filter((value) => typeof value === 'number'));
    const scale = top === 0 ? 0 : (HEIGHT - 4) / top;
    this.series.forEach((_, index) => {
      const points = samples.map(({ at }, sample) => [this.x(at), read[index][sample]]);
      this.paths[index].setAttribute('d', line(points, scale, false));
      this.shades[index]?.setAttribute('d', line(points, scale, true));
    });
    setText(this.top, top === 0 ? '' : this.format(top));
    this.plot.setAttribute('aria-valuemin', '0');
    this.plot.setAttribute('aria-valuemax', String(Math.max(0, samples.length - 1)));
    const index = held === undefined ? -1 : samples.findIndex(({ at }) => at === held);
    this.point(index === -1 ? undefined : index);
  }

  /** The sample at a share of the width. */
  at(share) {
    const at = this.end - SPAN_MS * (1 - share);
    return Math.max(
      0,
      this.samples.findLastIndex((one) => one.at <= at + 2500),
    );
  }

  /** Shows the values of a sample; undefined: the newest. */
  point(index) {
    this.index = index;
    const sample = index === undefined ? this.samples.at(-1) : this.samples[index];
    const texts = this.series.map(({ read, name }, which) => {
      const value = sample === undefined ? undefined : read(sample);
      const text = typeof value === 'number' ? this.format(value) : '–';
      setText(this.values[which], text);
      return `${name} ${text}`;
    });
    const time = sample === undefined ? '' : new Date(sample.at).toLocaleTimeString();
    const isAt = index !== undefined && sample !== undefined;
    setText(this.when, isAt ? time : '');
    this.cross.setAttribute('d', isAt ? `M${this.x(sample.at)} 0V${HEIGHT}` : '');
    if (isAt) this.when.style.left = `${Math.min(86, (this.x(sample.at) / WIDTH) * 100)}%`;
    this.plot.setAttribute('aria-valuenow', String(index ?? Math.max(0, this.samples.length - 1)));
    this.plot.setAttribute('aria-valuetext', sample === undefined ? 'nothing yet' : `${time}: ${texts.join(', ')}`);
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
  // A point alone is a line from the ground, or nobody would see it.
  const middle =
    run.length === 1
      ? `V${HEIGHT}`
      : run
          .slice(1)
          .map(([x, y]) => `L${x} ${y}`)
          .join('');
  const path = `M${first[0]} ${first[1]}${middle}`;
  return area ? `${path}V${HEIGHT}H${first[0]}Z` : path;
}
