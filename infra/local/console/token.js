// A panel that decodes a JSON Web Token.

import { decodeToken } from './api.js';
import { fill, h, write } from './dom.js';
import { dateTime, span } from './format.js';
import { now } from './live.js';
import { t } from './text.js';

/** Claims that are seconds since 1970. */
const TIMES = new Set(['exp', 'iat', 'nbf']);

export function tokenPanel() {
  const text = h('textarea', { rows: '3', spellcheck: 'false', 'aria-label': t('token'), placeholder: 'eyJ…', oninput: () => update() });
  const rows = h('dl', { class: 'facts mono' });
  const state = h('p', { class: 'hint' });

  function update() {
    const decoded = text.value.trim() ? decodeToken(text.value) : undefined;
    if (!decoded) {
      fill(rows);
      rows.dataset.of = '';
      write(state, decoded === null ? t('token_none') : t('token_hint'));
      return;
    }
    const { header, claims } = decoded;
    const shown = (name, value) => (TIMES.has(name) ? `${value} · ${dateTime(value * 1000)}` : typeof value === 'string' ? value : JSON.stringify(value));
    if (rows.dataset.of !== text.value) {
      fill(rows, [...Object.entries(header), ...Object.entries(claims)].map(([name, value]) => [h('dt', {}, name), h('dd', {}, shown(name, value))]));
      rows.dataset.of = text.value;
    }
    const left = (claims.exp ?? 0) * 1000 - now();
    const validity = claims.exp === undefined ? '' : left > 0 ? t('token_valid', { span: span(left) }) : t('token_expired', { span: span(-left) });
    write(state, `${validity} ${t('token_unchecked')}`);
  }

  return {
    update,
    show(token) {
      if (token) text.value = token;
      update();
    },
    node: h('div', { class: 'panel' }, h('h2', {}, t('token')), h('div', { class: 'pad' }, text, state, rows)),
  };
}
