import { age, setText } from './text.js';

/** Sluice sends twice a second, whether or not anything has changed. After so long without a word it hangs. */
const SILENT_MS = 3000;
const LOOK_MS = 500;
/** A stream that says nothing for so long is opened anew. */
const REOPEN_MS = 15_000;
/** Turned away: the browser does not try again by itself. */
const AGAIN_MS = 3000;

/** The stream of news from Sluice, and a watch on it: what is on the screen is never old without saying so. */
export class Link {
  /** `apply`: takes each event. */
  constructor(apply) {
    this.apply = apply;
    this.heardAt = performance.now();
    this.openedAt = this.heardAt;
    this.text = document.getElementById('link');
    this.old = document.getElementById('old');
    setInterval(() => this.look(), LOOK_MS);
  }

  /** Opens the stream. */
  open() {
    this.events?.close();
    this.openedAt = performance.now();
    this.events = new EventSource('events');
    this.events.onerror = () => {
      this.look();
      if (this.events.readyState === EventSource.CLOSED) setTimeout(() => this.open(), AGAIN_MS);
    };
    this.events.onmessage = ({ data }) => {
      this.heardAt = performance.now();
      this.hasHeard = true;
      this.apply(JSON.parse(data));
      this.look();
    };
  }

  look() {
    const now = performance.now();
    const silent = now - this.heardAt;
    const isLive = this.hasHeard && silent < SILENT_MS;
    const isBroken = this.events.readyState !== EventSource.OPEN;
    const text = isLive ? 'live' : isBroken ? 'reconnecting' : this.hasHeard ? 'no news' : 'connecting';
    setText(this.text, text);
    this.text.className = `link ${isLive ? 'live' : 'lost'}`;
    document.body.classList.toggle('stale', this.hasHeard === true && !isLive);
    this.old.hidden = !this.hasHeard || isLive;
    if (!this.old.hidden) {
      const why = isBroken ? 'Sluice cannot be reached' : 'Sluice does not answer: it hangs, or its machine does';
      // Spoken once, so without the time that passes.
      setText(this.old, `${why}. What you see is from ${new Date(Date.now() - silent).toLocaleTimeString()}.`);
      this.old.title = `${age(silent)} ago`;
    }
    if (!isLive && !isBroken && silent > REOPEN_MS && now - this.openedAt > REOPEN_MS) this.open();
  }
}
