// The settings of each stage, and the differences between two.

import { fill, h } from './dom.js';
import { emulator } from './live.js';
import { load } from './settings.js';
import { t } from './text.js';

export const id = 'settings';
export const picture = 'settings';

const chosen = { one: null, other: null, onlyDifferent: false };

export function open() {
  const body = h('tbody');
  const head = h('tr');
  const environment = h('dl', { class: 'facts pad mono' });
  const note = h('p', { class: 'hint pad' });
  const picks = h('div', { class: 'row end' });
  load().then((document) => document && show(document));

  function show({ stages, running, environment: variables }) {
    const names = Object.keys(stages);
    chosen.one = names.includes(chosen.one) ? chosen.one : running;
    chosen.other = names.includes(chosen.other) ? chosen.other : names.find((name) => name === 'prod') ?? names.find((name) => name !== running) ?? running;
    const choice = (which) => h('label', {}, h('span', { class: 'name' }, t(`settings_${which}`)),
      h('select', { onchange: (event) => { chosen[which] = event.currentTarget.value; compare(stages); } },
        names.map((name) => h('option', { value: name, selected: name === chosen[which] }, name))));
    const only = h('label', { class: 'row check' }, h('input', { type: 'checkbox', checked: chosen.onlyDifferent, onchange: (event) => { chosen.onlyDifferent = event.currentTarget.checked; compare(stages); } }), t('settings_only'));
    fill(picks, choice('one'), choice('other'), only);
    compare(stages);
    const merged = Object.entries(Object.assign({}, ...Object.values(variables)));
    fill(environment, merged.sort().map(([name, value]) => [h('dt', {}, name), h('dd', {}, value || h('span', { class: 'soft' }, t('settings_empty')))]));
  }

  function compare(stages) {
    const [one, other] = [flat(stages[chosen.one]), flat(stages[chosen.other])];
    const keys = [...new Set([...one.keys(), ...other.keys()])].sort();
    const rows = keys.map((key) => ({ key, left: one.get(key), right: other.get(key) }));
    const different = rows.filter(({ left, right }) => left !== right).length;
    fill(head, [t('head_setting'), chosen.one, chosen.other].map((text) => h('th', { scope: 'col' }, text)));
    fill(body, rows.filter(({ left, right }) => !chosen.onlyDifferent || left !== right).map(({ key, left, right }) =>
      h('tr', { class: left === right ? '' : 'differs' },
        h('td', { class: 'mono first' }, key, left === right ? null : h('span', { class: 'sr' }, ` (${t('settings_differs')})`)),
        h('td', { class: 'mono', 'data-label': chosen.one }, value(key, left)),
        h('td', { class: 'mono', 'data-label': chosen.other }, value(key, right)))));
    fill(note, t('settings_count', { count: different }));
  }

  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_settings')), h('p', { class: 'lead' }, t('settings_lead'))),
    h('div', { class: 'panel' }, h('div', { class: 'pad' }, picks), h('div', { class: 'line' }),
      h('table', { class: 'cards settings' }, h('thead', {}, head), body), note),
    h('div', { class: 'panel' }, h('h2', {}, t('settings_environment', { stage: emulator.about.name })), environment));
  return { node, update() {} };
}

/** The files hold only the names of secrets. */
function value(key, text) {
  if (text === undefined) return h('span', { class: 'soft' }, '–');
  if (text === '') return h('span', { class: 'soft' }, t('settings_empty'));
  return key.startsWith('secrets.') ? h('span', {}, h('span', { class: 'tag' }, t('settings_secret')), ` ${text}`) : text;
}

/** One entry per value; a named row of an array of tables is one value. */
function flat(table, before = '', found = new Map()) {
  for (const [name, item] of Object.entries(table ?? {})) {
    const key = `${before}${name}`;
    const isNamed = Array.isArray(item) && item.length > 0 && item.every((one) => one?.name);
    if (isNamed) for (const { name, ...rest } of item) found.set(`${key}.${name}`, words(rest));
    else if (item && typeof item === 'object' && !Array.isArray(item)) flat(item, `${key}.`, found);
    else found.set(key, typeof item === 'string' ? item : JSON.stringify(item));
  }
  return found;
}

function words(row) {
  return Object.entries(row).sort().map(([name, value]) => `${name} ${value}`).join(', ');
}
