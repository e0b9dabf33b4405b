// Functions, what they have done, and each invocation.

import { fill, h, keyed, write } from './dom.js';
import { clockTime, count, millis, short } from './format.js';
import { detail } from './invocation.js';
import { LongList } from './list.js';
import { stage } from './live.js';
import { t } from './text.js';

export const id = 'functions';
export const picture = 'flow';

/** What counts as gone well: the function ended, and said 0 if it says a code. */
export function verdict(row) {
  if (row.outcome !== 'ok') return 'bad';
  if (row.code === undefined || row.code === null || row.code === 0) return 'good';
  return row.code >= 15000 && row.code <= 50000 ? 'bad' : 'warn';
}

const KINDS = { all: () => true, refused: (row) => verdict(row) === 'warn', failed: (row) => verdict(row) === 'bad', cold: (row) => row.init_ms !== undefined };

/** `wanted` is the id of a request whose invocation is shown at once. */
export function open(wanted) {
  const filter = { function: null, kind: 'all', text: '' };
  const seen = { total: 0, key: '' };
  const body = h('tbody');
  const aside = h('div', { class: 'panel detail', 'aria-live': 'polite' });
  const summary = h('span', { class: 'soft' });
  const only = h('span', {});
  const list = new LongList({ label: t('invocations'), make: row, key: (item) => item.n, choose: pick });
  const kinds = h('div', { class: 'segments', role: 'group', 'aria-label': t('filter') }, Object.keys(KINDS).map((kind) =>
    h('button', { 'aria-pressed': kind === 'all' ? 'true' : 'false', onclick: (event) => {
      filter.kind = kind;
      for (const button of kinds.children) button.setAttribute('aria-pressed', button === event.currentTarget);
      rows();
    } }, t(`kind_${kind}`))));

  async function pick(item) {
    await detail(aside, item.request_id, item.n);
    // Below the list, where there is no room beside it.
    if (matchMedia('(max-width: 1100px)').matches && !document.activeElement.matches('.list:focus-visible')) aside.scrollIntoView({ block: 'nearest' });
  }

  function choose(name) {
    filter.function = filter.function === name ? null : name;
    functions();
    rows();
  }

  function functions() {
    keyed(body, stage.functions, (one) => one.name, (one) => functionRow(one, choose));
    for (const one of stage.functions) body.keyed.get(one.name).mark(filter.function === one.name);
    const clear = filter.function && h('button', { class: 'quiet', onclick: () => choose(filter.function) }, t('filter_clear'));
    fill(only, filter.function ? h('span', { class: 'tag' }, short(filter.function)) : null, clear || null);
  }

  function rows() {
    const isWanted = KINDS[filter.kind];
    const found = filter.function || filter.kind !== 'all'
      ? stage.rows.filter((item) => (!filter.function || item.function === filter.function) && isWanted(item))
      : stage.rows;
    const key = `${filter.function} ${filter.kind}`;
    const total = stage.dropped + found.length;
    list.show(found, key === seen.key ? Math.max(0, total - seen.total) : 0);
    Object.assign(seen, { total, key });
    const rest = stage.leftOut ? ` · ${t('left_out', { count: count(stage.leftOut) })}` : '';
    write(summary, `${count(found.length)}${rest}`);
    empty.hidden = found.length > 0;
  }

  const empty = h('div', { class: 'empty' }, h('strong', {}, t('invocations_empty')), t('invocations_empty_hint'));
  fill(aside, h('div', { class: 'empty' }, h('strong', {}, t('detail_none')), t('detail_hint')));
  if (wanted) detail(aside, wanted, wanted);
  const heads = ['function', 'starts_by', 'sandboxes', 'invocations', 'cold', 'p50', 'p99', 'last'];
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_functions')), h('p', { class: 'lead' }, t('functions_lead'))),
    h('div', { class: 'panel' }, h('table', { class: 'cards compact' },
      h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col', class: NUMBERS.has(name) ? 'num' : '' }, t(`head_${name}`))))), body)),
    h('div', { class: 'beside wide' },
      h('div', { class: 'panel' },
        h('header', {}, h('h2', {}, t('invocations')), summary, only, h('div', { class: 'end' }, kinds)),
        list.node, empty),
      aside));
  return {
    node,
    update(names) {
      if (!names || names.has('functions') || names.has('schedules')) functions();
      if (!names || names.has('rows')) rows();
    },
  };
}

const NUMBERS = new Set(['sandboxes', 'invocations', 'cold', 'p50', 'p99']);

/** Left out where there is little room: the detail of an invocation says it too. */
const FOR_WIDE = new Set(['starts_by', 'sandboxes', 'cold', 'p99']);

function functionRow(one, choose) {
  const cell = (name, ...children) => h('td', { 'data-label': t(`head_${name}`), class: `${NUMBERS.has(name) ? 'num' : ''} ${FOR_WIDE.has(name) ? 'for-wide' : ''}` }, children);
  const texts = Object.fromEntries(['sandboxes', 'invocations', 'cold', 'p50', 'p99'].map((name) => [name, h('span')]));
  const outcomes = h('span', { class: 'outcomes', role: 'img' });
  const route = one.routes.length ? one.routes[0].replace('{stage}', stage.about.name) : null;
  const starts = route ?? (one.schedules.length ? t('by_schedule', { name: one.schedules.map(short).join(', ') }) : t('by_event'));
  const more = one.routes.length > 1 ? h('span', { class: 'soft' }, ` +${one.routes.length - 1}`) : null;
  const button = h('button', { class: 'link mono', 'aria-pressed': 'false', onclick: (event) => { event.stopPropagation(); choose(one.name); } }, one.binary);
  const node = h('tr', { class: 'pick', onclick: () => choose(one.name) },
    h('td', { class: 'first' }, button),
    cell('starts_by', h('span', { class: route ? 'mono' : '' }, starts), more),
    ...Object.entries(texts).map(([name, text]) => cell(name, text)),
    cell('last', outcomes));
  return {
    node,
    mark(isChosen) {
      node.classList.toggle('chosen', isChosen);
      button.setAttribute('aria-pressed', isChosen);
    },
    update(one) {
      write(texts.sandboxes, one.busy ? t('busy_of', { busy: one.busy, all: one.sandboxes }) : `${one.sandboxes}`);
      write(texts.invocations, count(one.invocations));
      write(texts.cold, count(one.cold_starts));
      write(texts.p50, millis(one.p50_ms));
      write(texts.p99, millis(one.p99_ms));
      const bad = one.last_outcomes.filter((outcome) => outcome !== 'ok').length;
      outcomes.setAttribute('aria-label', t('outcomes', { all: one.last_outcomes.length, bad }));
      keyed(outcomes, one.last_outcomes.map((outcome, at) => ({ outcome, at })), ({ at }) => at, () => {
        const bar = h('i');
        return { node: bar, update: ({ outcome }) => { bar.className = outcome === 'ok' ? 'good' : 'bad'; } };
      });
    },
  };
}

function row() {
  const parts = ['time', 'name', 'code', 'cold', 'ms'].map((name) => h('span', { class: `cell-${name}` }));
  const [time, name, code, cold, ms] = parts;
  return {
    node: h('div', {}, parts),
    update(item) {
      write(time, clockTime(item.time));
      write(name, short(item.function));
      code.className = `cell-code tag ${verdict(item)}`;
      write(code, item.outcome === 'ok' ? `${item.code ?? 'ok'}` : t(`outcome_${item.outcome}`));
      cold.className = `cell-cold ${item.init_ms === undefined ? '' : 'tag cold'}`;
      write(cold, item.init_ms === undefined ? '' : t('cold'));
      write(ms, millis(item.ms));
    },
  };
}
