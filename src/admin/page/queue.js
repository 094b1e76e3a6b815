import { giveOrder } from './order.js';
import { element, setText, short } from './text.js';

/** While somebody waits, the queue is asked for so often. */
const REFRESH_MS = 2000;

/** What requests of some services have besides. */
const MORE = [
  { title: 'Class', read: (one) => one.class },
  { title: 'Tenant', read: (one) => one.tenant },
];

/** Who waits for a service, from the head of its queue. */
export class Queue {
  constructor(name) {
    this.name = name;
    this.note = element('p', 'kind');
    this.note.setAttribute('role', 'status');
    this.body = element('tbody');
    this.head = element('thead');
    this.table = element('table', '', this.head, this.body);
    this.root = element('div', '', this.note, element('div', 'scroll', this.table));
    this.waiting = 0;
    this.draw([], 0);
    this.timer = setInterval(() => this.fetch(), REFRESH_MS);
  }

  /** So many wait now. */
  update(waiting) {
    const began = waiting > 0 && this.waiting === 0;
    this.waiting = waiting;
    if (began) this.fetch();
    else if (waiting === 0 && this.shown > 0) this.draw([], 0);
  }

  /** Ends its timer. */
  close() {
    clearInterval(this.timer);
  }

  cancelButton(id, what) {
    const button = element('button', 'small', 'Cancel');
    button.type = 'button';
    button.setAttribute('aria-label', `Cancel ${what}`);
    button.addEventListener('click', async () => {
      button.disabled = true;
      const done = await giveOrder(`cancel?${new URLSearchParams({ service: this.name, request: id })}`);
      button.closest('tr').remove();
      setText(this.note, done);
    });
    return button;
  }

  async fetch() {
    if (this.waiting === 0 || document.hidden) return;
    // Not under somebody's hand.
    if (this.body.matches(':hover') || this.body.contains(document.activeElement)) return;
    try {
      const response = await fetch(`queue?service=${encodeURIComponent(this.name)}`);
      if (!response.ok) {
        this.draw([], 0, (await response.text()).trim());
        return;
      }
      const { requests, waiting } = await response.json();
      this.draw(requests, waiting);
    } catch {
      // The connection's state is shown above; the list stays as it is.
    }
  }

  draw(requests, waiting, trouble = '') {
    this.shown = requests.length;
    this.table.hidden = requests.length === 0;
    const rest = waiting - requests.length;
    const none = waiting > 0 ? '' : 'No request waits.';
    setText(
      this.note,
      trouble || (rest > 0 && requests.length > 0 ? `The first ${requests.length} of ${waiting}.` : none),
    );
    // Only what some request has.
    const more = MORE.filter(({ read }) => requests.some((one) => read(one) !== ''));
    const titles = ['Age', 'Request', '', ...more.map(({ title }) => title), 'Client', 'x-request-id'];
    const heading = titles.map((text) => element('th', '', text));
    for (const cell of heading) cell.scope = 'col';
    this.head.replaceChildren(element('tr', '', ...heading));
    this.body.replaceChildren(
      ...requests.map((one) => {
        const what = `${one.method} ${one.path}`;
        return element(
          'tr',
          '',
          element('td', '', short(one.ageMs)),
          element('td', 'address', what),
          // Where a small screen has it in sight.
          element('td', '', this.cancelButton(one.id, what)),
          ...more.map(({ read }) => element('td', 'address', read(one))),
          element('td', 'address', one.client),
          element('td', 'address', one.requestId),
        );
      }),
    );
  }
}
