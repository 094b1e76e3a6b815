import { Explain } from './explain.js';
import { element, serviceLink } from './text.js';

/** Where requests are taken, and where they are led. */
export class RoutesView {
  constructor(root) {
    this.listeners = element('ul', 'listeners');
    this.body = element('tbody');
    const title = element('h2', '', 'Routes');
    title.id = 'title-routes';
    const heading = ['', 'Host', 'Path', 'Conditions', 'Leads to'].map((text) => element('th', '', text));
    for (const cell of heading) cell.scope = 'col';
    const table = element('table', 'routes', element('thead', '', element('tr', '', ...heading)), this.body);
    this.empty = element('p', 'empty', 'There is no route yet.');
    const note = element('p', 'kind', 'Tried from top to bottom.');
    this.explain = new Explain();
    root.append(title, this.listeners, note, element('div', 'scroll', table), this.empty, this.explain.root);
  }

  /** Draws these. */
  update(routes, listeners) {
    const items = listeners.map(({ address, hostname, tls }) =>
      element('li', '', element('b', '', address), ` ${tls ? 'HTTPS' : 'HTTP'}${hostname ? ` for ${hostname}` : ''}`),
    );
    this.listeners.replaceChildren(...items);
    this.body.replaceChildren(...routes.map(routeRow));
    this.empty.hidden = routes.length > 0;
  }
}

/** One route as a row of a table. */
export function routeRow({ name, hosts, path, conditions, services, target }) {
  const [first] = services;
  const leads = services.length === 1 && first === target ? [serviceLink(first)] : [target];
  const cells = [name, hosts.join(', ') || 'any', path, conditions.join(', ')];
  return element('tr', '', ...cells.map((text) => element('td', '', text)), element('td', '', ...leads));
}
