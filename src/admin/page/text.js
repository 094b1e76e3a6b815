/** A short length of time in the unit that suits it: `3 ms`, `2.1 s`, `4.0 min`. */
export function short(ms) {
  if (ms < 999.5) return `${ms < 9.95 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  return seconds < 5940 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A length of time in its largest unit: `12 s`, `3 min`, `5 d`. */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** `1 pod`, `3 pods`. */
export function many(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** An element with a class, attributes and children; texts are texts, never markup. */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/** Writes only what differs: the browser lays out nothing for a text that stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** As `setText`, for an attribute; undefined takes it away. */
export function setAttribute(node, name, value) {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A link to the own view of a service. */
export function serviceLink(name) {
  const link = element('a', 'service-link', name);
  link.href = `#service/${encodeURIComponent(name)}`;
  return link;
}
