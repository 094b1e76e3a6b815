/*
 * The pictures of docs/queue.md: one for each section, in the colours of the reader's scheme, light or dark. What waits is orange, what is
 * in use green, what is kept free hatched.
 */

const WIDTH = 840;

const STYLE = `
:root { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --box: #f6f8fa; --onto: #ffffff;
  --wait: #bf6a02; --busy: #1a7f5a; --first: #0969da; --no: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --box: #161b22;
  --onto: #0d1117; --wait: #e3953a; --busy: #3fb984; --first: #58a6ff; --no: #ff7b72; } }
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); font-size: 12px; } .strong { font-weight: 600; } .mid { text-anchor: middle; } .end { text-anchor: end; }
.on { fill: var(--onto); font-weight: 600; font-size: 12px; text-anchor: middle; } .no { fill: var(--no); font-weight: 600; }
.way { stroke: var(--soft); stroke-width: 1.8; fill: none; marker-end: url(#tip); }
.line { stroke: var(--line); stroke-width: 1.5; fill: none; } .limit { stroke: var(--no); stroke-width: 1.8; stroke-dasharray: 4 3; }
.pod { fill: var(--box); stroke: var(--line); stroke-width: 1.5; } .free { fill: var(--paper); stroke: var(--line); stroke-width: 1.5; }
.paper { fill: var(--paper); } .wait { fill: var(--wait); } .busy { fill: var(--busy); } .first { fill: var(--first); }
.kept { fill: url(#kept); stroke: var(--wait); stroke-width: 1.5; }`;

const DEFINITIONS =
  '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" style="fill: var(--soft)"/></marker>' +
  '<pattern id="kept" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2.5" height="7" style="fill: var(--wait)"/></pattern></defs>';

/** The pictures by their file names below docs. */
export function queuePictures(): Readonly<Record<string, string>> {
  return {
    'queue/first-in-first-out.svg': firstInFirstOut(),
    'queue/priority.svg': priority(),
    'queue/fair-shares.svg': fairShares(),
    'queue/deadlines.svg': deadlines(),
    'queue/costs.svg': costs(),
    'queue/place.svg': place(),
    'queue/slow-clients.svg': slowClients(),
    'queue/jobs.svg': jobs(),
    'queue/repeated.svg': repeated(),
  };
}

function picture(label: string, height: number, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">`,
    `<style>${STYLE}</style>${DEFINITIONS}`,
    `<rect class="paper" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}

function words(x: number, y: number, content: string, kind = ''): string {
  return `<text x="${x}" y="${y}"${kind === '' ? '' : ` class="${kind}"`}>${content}</text>`;
}

function arrow(...points: readonly (readonly [number, number])[]): string {
  return `<path class="way" d="M${points.map(([x, y]) => `${x} ${y}`).join('L')}"/>`;
}

type Kind = 'wait' | 'busy' | 'first' | 'free' | 'kept';

const CHIP = { width: 46, height: 26, step: 54 };

/** A request, or a slot: `label` in the middle of it. */
function chip(x: number, y: number, label: string, kind: Kind, width = CHIP.width): string {
  const text = label === '' ? '' : words(x + width / 2, y + 17, label, kind === 'free' ? 'soft mid' : 'on');
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${CHIP.height}" rx="5"/>${text}`;
}

/** Requests behind one another: the first one is at the right, ending at `right`. */
function line(right: number, y: number, labels: readonly string[], kind: Kind = 'wait'): string {
  return labels.map((label, at) => chip(right - CHIP.width - at * CHIP.step, y, label, kind)).join('');
}

const SLOT = { size: 24, step: 30 };

/** A pod with its slots. */
function pod(x: number, y: number, title: string, slots: readonly Kind[]): string {
  const width = Math.max(120, 28 + slots.length * SLOT.step);
  const drawn = slots.map(
    (kind, at) =>
      `<rect class="${kind}" x="${x + 14 + at * SLOT.step}" y="${y + 30}" width="${SLOT.size}" height="${SLOT.size}" rx="4"/>`,
  );
  return [
    `<rect class="pod" x="${x}" y="${y}" width="${width}" height="64" rx="8"/>`,
    words(x + 14, y + 20, title, 'soft'),
    ...drawn,
  ].join('');
}

function firstInFirstOut(): string {
  return picture('The request that came first goes to the first pod with a free slot.', 190, [
    words(24, 30, 'one queue', 'strong'),
    line(430, 82, ['1', '2', '3', '4', '5']),
    arrow([110, 95], [164, 95]),
    words(24, 99, 'new request', 'soft'),
    arrow([438, 90], [590, 55]),
    words(452, 128, 'the next free slot', 'soft'),
    pod(600, 16, 'limit 2', ['busy', 'free']),
    pod(600, 100, 'limit 2', ['busy', 'busy']),
  ]);
}

function priority(): string {
  const lane = (y: number, name: string, labels: readonly string[]) =>
    words(24, y + 17, name, 'strong') + line(430, y, labels);
  return picture(
    'High requests go before normal ones, and a low one that has waited for its max_wait goes as a high one.',
    190,
    [
      lane(34, 'high', ['h 1', 'h 2']),
      lane(82, 'normal', ['n 1', 'n 2', 'n 3']),
      words(24, 147, 'low', 'strong'),
      line(430, 130, ['l 1', 'l 2']),
      chip(384, 130, 'l 1', 'first'),
      words(330, 176, 'has waited for 60 s (max_wait): goes as high', 'soft mid'),
      arrow([438, 95], [500, 95]),
      words(510, 64, 'slots, one after the other', 'soft'),
      ...['l 1', 'h 1', 'h 2', 'n 1', 'n 2'].map((label, at) => chip(510 + at * CHIP.step, 82, label, 'busy')),
      words(510, 130, 'l 1 came before the others', 'soft'),
    ],
  );
}

function fairShares(): string {
  const lane = (y: number, name: string, labels: readonly string[]) =>
    words(24, y + 17, name, 'strong') + line(400, y, labels);
  const order = ['a 1', 'b 1', 'g 1', 'g 2', 'g 3', 'a 2', 'g 4'];
  return picture('Tenants take turns: one with many requests delays one with a single request by one.', 190, [
    lane(34, 'a', ['a 1', 'a 2', 'a 3', 'a 4', 'a 5']),
    lane(82, 'b', ['b 1']),
    lane(130, 'gold', ['g 1', 'g 2', 'g 3', 'g 4']),
    words(24, 176, 'weight 3', 'soft'),
    arrow([408, 95], [446, 95]),
    words(452, 64, 'slots, one after the other', 'soft'),
    ...order.map((label, at) => chip(452 + at * CHIP.step, 82, label, 'busy')),
  ]);
}

function deadlines(): string {
  const bar = (y: number, from: number, to: number, kind: Kind, label: string) => chip(from, y, label, kind, to - from);
  return picture(
    'exact: a request waits until its deadline; early: until the usual work would not be done by then.',
    190,
    [
      words(24, 30, 'x-request-deadline: 30s', 'strong'),
      '<path class="line" d="M120 150H700"/>',
      words(120, 170, '0 s', 'soft mid'),
      words(600, 170, '30 s', 'soft mid'),
      '<path class="limit" d="M600 40V150"/>',
      words(24, 77, 'exact', 'strong'),
      bar(60, 120, 600, 'wait', 'waits'),
      words(612, 77, '504, no pod sees it', 'no'),
      words(24, 121, 'early', 'strong'),
      bar(104, 120, 440, 'wait', 'waits'),
      bar(104, 440, 600, 'free', 'usual work: 10 s'),
      words(612, 121, '504 after 20 s', 'no'),
    ],
  );
}

function costs(): string {
  return picture('A large request waits until one pod has so many slots free; small ones go on to other pods.', 190, [
    words(24, 30, 'one queue', 'strong'),
    line(292, 82, ['1', '1', '1']),
    chip(300, 82, '4 slots', 'first', 130),
    arrow([430, 90], [496, 62]),
    arrow([269, 108], [269, 140], [496, 140]),
    words(284, 160, 'small ones go on meanwhile', 'soft'),
    pod(505, 16, 'limit 8: three slots are kept for it', [
      'busy',
      'busy',
      'busy',
      'busy',
      'busy',
      'kept',
      'kept',
      'kept',
    ]),
    pod(505, 108, 'limit 2', ['busy', 'free']),
  ]);
}

function place(): string {
  return picture('A client is told its place, and may ask for it while it waits.', 170, [
    line(560, 40, ['1', '2', '3', '4', '5', '6', '7', '8']),
    chip(82, 40, '9', 'first'),
    arrow([568, 53], [640, 53]),
    pod(650, 20, 'limit 1', ['busy']),
    arrow([105, 120], [105, 72]),
    words(24, 138, 'GET /.well-known/sluice/requests/ID', 'strong'),
    words(24, 158, 'position 9, some 2.7 s to go', 'soft'),
  ]);
}

function slowClients(): string {
  const body = (y: number, share: number, kind: Kind) =>
    `<rect class="free" x="150" y="${y}" width="190" height="26" rx="5"/>` +
    `<rect class="${kind}" x="150" y="${y}" width="${190 * share}" height="26" rx="5"/>`;
  return picture('A request joins the queue when its body is here; one whose body comes slowly holds no slot.', 170, [
    words(24, 30, 'bodies on their way', 'strong'),
    words(24, 67, 'slow client', 'soft'),
    body(50, 0.45, 'wait'),
    words(352, 67, 'holds no slot', 'soft'),
    words(24, 121, 'fast client', 'soft'),
    body(104, 1, 'first'),
    arrow([348, 117], [420, 117]),
    line(590, 104, ['1', '2', '3']),
    arrow([598, 117], [650, 117]),
    pod(660, 84, 'limit 1', ['busy']),
  ]);
}

function jobs(): string {
  return picture(
    'The answer 202 ends the request, and the slot stays in use until the pod says that the job is done.',
    190,
    [
      words(24, 47, 'client', 'strong'),
      words(24, 107, 'slot', 'strong'),
      words(24, 167, 'pod', 'strong'),
      ...[42, 162].map((y) => `<path class="line" d="M110 ${y}H780"/>`),
      arrow([150, 42], [150, 158]),
      words(160, 62, 'request', 'soft'),
      arrow([250, 162], [250, 46]),
      words(260, 62, '202: the client goes on', 'soft'),
      chip(150, 90, 'in use', 'busy', 100),
      chip(252, 90, 'in use: a job', 'busy', 398),
      arrow([650, 162], [650, 120]),
      words(640, 146, 'POST …/jobs/ID/done', 'soft end'),
      words(660, 108, 'free', 'soft'),
    ],
  );
}

function repeated(): string {
  return picture('Requests with the same key become one at the pod, and all get its answer.', 170, [
    ...['try 1', 'try 2', 'try 3'].flatMap((label, at) => [
      chip(24, 24 + at * 46, label, 'wait', 70),
      arrow([100, 37 + at * 46], [256, 83]),
    ]),
    words(180, 30, 'the same Idempotency-Key', 'soft'),
    chip(262, 70, 'one request', 'first', 110),
    arrow([378, 83], [500, 83]),
    pod(510, 51, 'limit 1', ['busy']),
    arrow([570, 121], [570, 146], [317, 146], [317, 102]),
    words(584, 150, 'one answer, for all of them', 'soft'),
  ]);
}
