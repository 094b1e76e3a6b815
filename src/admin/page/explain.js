import { element } from './text.js';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

/** A form that asks which route takes a request, and why not the others: `sluice explain` for what is active now. */
export class Explain {
  constructor() {
    this.url = input('url', '/path, or a whole URL');
    this.url.required = true;
    this.method = element('select', '', ...METHODS.map((name) => element('option', '', name)));
    this.headers = element('textarea');
    this.headers.rows = 2;
    this.headers.placeholder = 'x-tier: gold';
    this.headers.spellcheck = false;
    const ask = element('button', 'small', 'Explain');
    ask.type = 'submit';
    const form = element(
      'form',
      'explain',
      field('Method', this.method),
      field('URL', this.url),
      field('Headers, one a line', this.headers),
      ask,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.ask();
    });
    this.answer = element('pre', 'explained');
    this.answer.hidden = true;
    this.answer.tabIndex = -1;
    this.answer.setAttribute('role', 'status');
    const title = element('h3', '', 'Which route takes a request?');
    this.root = element('section', 'part', title, form, this.answer);
  }

  /** Asks for this URL. */
  show(url) {
    this.url.value = url;
    this.ask();
  }

  async ask() {
    const query = new URLSearchParams({ url: this.url.value.trim(), method: this.method.value });
    for (const line of this.headers.value.split('\n')) if (line.trim() !== '') query.append('header', line.trim());
    const { text, wrong } = await explanation(query);
    this.answer.hidden = false;
    this.answer.classList.toggle('bad', wrong);
    this.answer.textContent = text;
  }
}

async function explanation(query) {
  try {
    const answer = await fetch(`explain?${query}`);
    if (!answer.ok) return { text: (await answer.text()).trim(), wrong: true };
    const { taken, text } = await answer.json();
    return { text: text.trimEnd(), wrong: !taken };
  } catch {
    return { text: 'Sluice cannot be reached.', wrong: true };
  }
}

function input(type, placeholder) {
  const made = element('input');
  // A path alone is no URL for browsers.
  made.type = 'text';
  made.inputMode = type;
  made.placeholder = placeholder;
  made.autocomplete = 'off';
  made.spellcheck = false;
  return made;
}

function field(name, control) {
  return element('label', '', element('span', '', name), control);
}
