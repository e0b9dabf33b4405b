// The functions, their invocations, and the detail of one invocation.

import { fill, h, keyed, write } from './dom.js';
import { clockTime, count, millis, short } from './format.js';
import { detail } from './invocation.js';
import { LongList } from './list.js';
import { emulator } from './live.js';
import { verdict } from './outcome.js';
import { t } from './text.js';

export const id = 'functions';
export const picture = 'flow';

const KINDS = { all: () => true, refused: (row) => verdict(row) === 'warn', failed: (row) => verdict(row) === 'bad', cold: (row) => row.init_ms !== undefined };

/** The request with the id `wanted` is shown at once. */
export function open(wanted) {
  const filter = { function: null, kind: 'all', showsJobs: false };
  const shown = { total: 0, key: '' };
  const body = h('tbody');
  const aside = h('div', { class: 'panel detail', 'aria-live': 'polite' });
  const summary = h('span', { class: 'soft' });
  const only = h('span', { class: 'row' });
  const list = new LongList({ label: t('invocations'), make: row, key: (item) => item.n, choose: pick });
  const kinds = h('div', { class: 'segments', role: 'group', 'aria-label': t('filter') }, Object.keys(KINDS).map((kind) =>
    h('button', { 'aria-pressed': kind === 'all' ? 'true' : 'false', onclick: (event) => {
      filter.kind = kind;
      for (const button of kinds.children) button.setAttribute('aria-pressed', button === event.currentTarget);
      rows();
    } }, t(`kind_${kind}`))));
  const jobs = h('input', { type: 'checkbox', onchange: () => {
    filter.showsJobs = jobs.checked;
    rows();
  } });
  const jobsText = h('span');
  const jobsLabel = h('label', { class: 'row check' }, jobs, jobsText);

  async function pick(item) {
    await detail(aside, item.request_id, item.n);
    // In one column the detail is below the list.
    if (aside.offsetTop > list.node.offsetTop + list.node.offsetHeight && !document.activeElement.matches('.list:focus-visible')) aside.scrollIntoView({ block: 'nearest' });
  }

  function choose(name) {
    filter.function = filter.function === name ? null : name;
    functions();
    rows();
  }

  function functions() {
    keyed(body, emulator.functions, (one) => one.name, (one) => functionRow(one, choose));
    for (const one of emulator.functions) body.keyed.get(one.name).mark(filter.function === one.name);
    const clear = filter.function && h('button', { class: 'quiet', onclick: () => choose(filter.function) }, t('filter_clear'));
    fill(only, filter.function ? h('span', { class: 'tag' }, short(filter.function)) : null, clear || null);
  }

  /** Successful runs of jobs are hidden by default: a day of a schedule would bury the requests. */
  function rows() {
    const scheduled = new Set(emulator.functions.filter((one) => one.schedules.length).map((one) => one.name));
    const isRoutine = (item) => scheduled.has(item.function) && verdict(item) === 'good';
    const isWanted = KINDS[filter.kind];
    const matching = filter.function || filter.kind !== 'all'
      ? emulator.rows.filter((item) => (!filter.function || item.function === filter.function) && isWanted(item))
      : emulator.rows;
    const hidesJobs = !filter.showsJobs && !filter.function;
    const found = hidesJobs ? matching.filter((item) => !isRoutine(item)) : matching;
    const routine = hidesJobs ? matching.length - found.length : matching.filter(isRoutine).length;
    const key = `${filter.function} ${filter.kind} ${filter.showsJobs}`;
    const total = emulator.dropped + found.length;
    list.show(found, key === shown.key ? Math.max(0, total - shown.total) : 0);
    Object.assign(shown, { total, key });
    const rest = emulator.leftOut ? ` · ${t('left_out', { count: count(emulator.leftOut) })}` : '';
    write(summary, `${count(found.length)}${rest}`);
    jobsLabel.hidden = Boolean(filter.function) || routine === 0;
    write(jobsText, t('show_jobs', { count: count(routine) }));
    empty.hidden = found.length > 0;
  }

  const empty = h('div', { class: 'empty' }, h('strong', {}, t('invocations_empty')), t('invocations_empty_hint'));
  fill(aside, h('div', { class: 'empty' }, h('strong', {}, t('detail_none')), t('detail_hint')));
  if (wanted) detail(aside, wanted, wanted);
  const heads = ['function', 'starts_by', 'sandboxes', 'invocations', 'cold', 'p50', 'p99', 'last'];
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_functions')), h('p', { class: 'lead' }, t('functions_lead'))),
    h('div', { class: 'panel' }, h('table', { class: 'cards compact' },
      h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col', class: classOf(name) }, t(`head_${name}`))))), body)),
    h('div', { class: 'beside wide' },
      h('div', { class: 'panel' },
        h('header', {}, h('h2', {}, t('invocations')), summary, only, jobsLabel, h('div', { class: 'end' }, kinds)),
        list.node, empty),
      aside));
  return {
    node,
    update(names) {
      if (!names || names.has('functions') || names.has('schedules')) functions();
      if (!names || names.has('rows') || names.has('functions')) rows();
      if (!names || names.has('rows')) for (const { bars } of body.keyed?.values() ?? []) bars();
    },
  };
}

const NUMBERS = new Set(['sandboxes', 'invocations', 'cold', 'p50', 'p99']);

/** Hidden in a narrow panel. */
const DETAILS = new Set(['sandboxes', 'cold', 'p99']);

function classOf(name) {
  return `${NUMBERS.has(name) ? 'num' : ''} ${DETAILS.has(name) ? 'for-wide' : ''}`;
}

function functionRow(one, choose) {
  const cell = (name, ...children) => h('td', { 'data-label': t(`head_${name}`), class: classOf(name) }, children);
  const texts = Object.fromEntries(['sandboxes', 'invocations', 'cold', 'p50', 'p99'].map((name) => [name, h('span')]));
  const outcomes = h('span', { class: 'outcomes', role: 'img' });
  const route = one.routes.length ? one.routes[0].replace('{stage}', emulator.about.name) : null;
  const starts = route ?? (one.schedules.length ? t('by_schedule', { name: one.schedules.map(short).join(', ') }) : t('by_event'));
  const more = one.routes.length > 1 ? h('span', { class: 'soft' }, ` +${one.routes.length - 1}`) : null;
  const button = h('button', { class: 'link mono', 'aria-pressed': 'false', onclick: (event) => { event.stopPropagation(); choose(one.name); } }, one.binary);
  const node = h('tr', { class: 'pick', onclick: () => choose(one.name) },
    h('td', { class: 'first' }, button),
    cell('starts_by', h('span', { class: route ? 'mono route' : '' }, starts), more),
    ...Object.entries(texts).map(([name, text]) => cell(name, text)),
    cell('last', outcomes));

  /** One bar per invocation, the newest first, coloured by outcome and code. */
  function bars() {
    const verdicts = (emulator.recent.get(one.name) ?? []).map(verdict).reverse();
    const number = (kind) => verdicts.filter((verdict) => verdict === kind).length;
    outcomes.setAttribute('aria-label', t('outcomes', { all: verdicts.length, refused: number('warn'), bad: number('bad') }));
    keyed(outcomes, verdicts.map((verdict, at) => ({ verdict, at })), ({ at }) => at, () => {
      const bar = h('i');
      return { node: bar, update: ({ verdict }) => { bar.className = verdict; } };
    });
  }

  return {
    node,
    bars,
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
      bars();
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
