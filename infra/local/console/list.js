// A long list: only visible rows exist, and they are reused.

import { h } from './dom.js';

const ROW_PX = 32;
const MARGIN_ROWS = 8;

/**
 * `make()` returns `{ node, update(item) }` for one row; `choose(item)` is called when a row is selected by click or key.
 * Items are passed oldest first and shown newest first.
 */
export class LongList {
  constructor({ label, make, choose, key }) {
    this.make = make;
    this.choose = choose;
    this.key = key;
    this.items = [];
    this.rows = [];
    this.at = null;
    this.inner = h('div', { class: 'list-inner', role: 'presentation' });
    this.node = h('div', { class: 'list', role: 'listbox', tabindex: '0', 'aria-label': label }, this.inner);
    this.node.addEventListener('scroll', () => this.draw(), { passive: true });
    this.node.addEventListener('keydown', (event) => this.press(event));
    this.inner.addEventListener('click', (event) => {
      const index = event.target.closest('[data-index]')?.dataset.index;
      if (index !== undefined) this.pick(Number(index));
    });
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** Replaces the items. A reader who has scrolled down keeps the same rows in view; `added` is the number of new ones. */
  show(items, added = 0) {
    const from = this.node.scrollTop;
    this.items = items;
    this.inner.style.height = `${items.length * ROW_PX}px`;
    this.node.style.setProperty('--list', this.inner.style.height);
    if (from > 0 && added > 0) this.node.scrollTop = from + added * ROW_PX;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.node.scrollTop / ROW_PX) - MARGIN_ROWS);
    const room = Math.ceil(this.node.clientHeight / ROW_PX) + 2 * MARGIN_ROWS;
    const last = Math.min(this.items.length, first + room);
    while (this.rows.length < last - first) {
      const row = this.make();
      row.node.setAttribute('role', 'option');
      row.node.classList.add('list-row');
      this.rows.push(row);
      this.inner.append(row.node);
    }
    this.rows.forEach((row, position) => {
      const index = first + position;
      const isSeen = index < last;
      row.node.hidden = !isSeen;
      if (!isSeen) return;
      const item = this.item(index);
      const isChosen = this.at !== null && this.key(item) === this.at;
      row.node.id = `row-${index}`;
      row.node.dataset.index = index;
      row.node.style.transform = `translateY(${index * ROW_PX}px)`;
      row.node.setAttribute('aria-selected', isChosen);
      row.node.setAttribute('aria-setsize', this.items.length);
      row.node.setAttribute('aria-posinset', index + 1);
      if (isChosen) this.node.setAttribute('aria-activedescendant', row.node.id);
      row.update(item);
    });
  }

  item(index) {
    return this.items[this.items.length - 1 - index];
  }

  index() {
    if (this.at === null) return -1;
    const found = this.items.findLastIndex((item) => this.key(item) === this.at);
    return found < 0 ? -1 : this.items.length - 1 - found;
  }

  pick(index) {
    const item = this.item(Math.max(0, Math.min(this.items.length - 1, index)));
    if (!item) return;
    this.at = this.key(item);
    this.reveal(this.index());
    this.draw();
    this.choose(item);
  }

  reveal(index) {
    const top = index * ROW_PX;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    const bottom = top + ROW_PX - this.node.clientHeight;
    if (bottom > this.node.scrollTop) this.node.scrollTop = bottom;
  }

  press(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_PX) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) this.pick(this.index() + steps[event.key]);
    else if (event.key === 'Home') this.pick(0);
    else if (event.key === 'End') this.pick(this.items.length - 1);
    else return;
    event.preventDefault();
  }
}
