// Creates and changes elements. Data only ever becomes text; no module of the console writes HTML.

const PROPERTIES = new Set(['checked', 'disabled', 'hidden', 'selected', 'value', 'indeterminate', 'open']);

/** Creates an element: `h('button', { class: 'quiet', onclick }, 'text', child)`. Children that are null or false are skipped. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...flat(children));
  return node;
}

/** Sets a property, an attribute, or with `on…` an event listener. */
export function set(node, name, value) {
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else if (PROPERTIES.has(name)) node[name] = value;
  else if (value === null || value === undefined || value === false) node.removeAttribute(name === 'class' ? 'class' : name);
  else node.setAttribute(name, value === true ? '' : value);
}

/** Replaces the children of an element. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Writes a text only if it differs: a write costs layout and clears the user's selection. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of `parent` match `items`, in that order. Existing children are reused, with their focus and selection.
 * `make(item)` returns `{ node, update(item) }`.
 */
export function keyed(parent, items, key, make) {
  const known = parent.keyed ?? (parent.keyed = new Map());
  const wanted = new Set();
  let at = parent.firstChild;
  for (const item of items) {
    const name = key(item);
    wanted.add(name);
    let entry = known.get(name);
    if (!entry) known.set(name, (entry = make(item)));
    entry.update?.(item);
    if (entry.node === at) at = at.nextSibling;
    else parent.insertBefore(entry.node, at);
  }
  for (const [name, entry] of known) {
    if (!wanted.has(name)) {
      entry.node.remove();
      known.delete(name);
    }
  }
}

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  book: 'M4 5c3-1.5 6-1.5 8 0 2-1.5 5-1.5 8 0v14c-3-1.5-6-1.5-8 0-2-1.5-5-1.5-8 0zM12 5v14',
  bolt: 'M13 2 4 14h7l-1 8 9-12h-7z',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  data: 'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  flow: 'M4 5h7v5H4zM13 14h7v5h-7zM7.5 10v6.5H13',
  inbox: 'M4 5h16v14H4zM4 7l8 6 8-6',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5',
  send: 'M4 12 20 4l-5 16-3.5-6.5zM11.5 13.5 20 4',
  shield: 'M12 3l8 3v6c0 4.5-3.3 7.7-8 9-4.7-1.3-8-4.5-8-9V6zM8.5 12l2.5 2.5 4.5-5',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M14 4.5v5M8 14.5v5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M19 5l-1.7 1.7M6.7 17.3 5 19',
  warning: 'M12 3 2 20h20zM12 10v4M12 17v.2',
};

/** A decorative icon beside a text. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [key, value] of Object.entries({
    viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'stroke-linecap': 'round',
    'stroke-linejoin': 'round', 'aria-hidden': 'true',
  })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
