// The SMS inbox: messages that a provider would have sent to phones.

import { codeOf, followCodes, isLive } from './codes.js';
import { h, icon, keyed, write } from './dom.js';
import { copy } from './feedback.js';
import { clockTime, money, span } from './format.js';
import { emulator, now } from './live.js';
import { regionOf } from './phone.js';
import { settings } from './settings.js';
import { t } from './text.js';

export const id = 'inbox';
export const picture = 'inbox';

/** Messages on the page; the search covers all. */
const MAX_SHOWN = 50;

export function open() {
  const search = h('input', { type: 'search', placeholder: t('inbox_search'), 'aria-label': t('inbox_search'), oninput: () => list.update(null) });
  const list = messages({ most: MAX_SHOWN, wanted: () => search.value });
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_inbox')), h('p', { class: 'lead' }, t('inbox_lead'))),
    h('div', { class: 'panel' },
      h('header', {}, h('div', { class: 'search' }, search), h('span', { class: 'end soft' }, list.total)),
      list.node));
  return { node, update: list.update };
}

/** A list of messages, also for other views. `wanted()` returns the text that a phone or a message must contain. */
export function messages({ most, wanted }) {
  const cards = h('ul', { class: 'messages' });
  const empty = h('div', { class: 'empty' }, h('strong', {}, t('inbox_empty')), t('inbox_empty_hint'));
  const total = h('span');
  return {
    node: h('div', {}, cards, empty),
    total,
    update(names) {
      followCodes(names);
      if (names && !['messages', 'codes', 'second', 'clock', 'settings'].some((name) => names.has(name))) return;
      const text = wanted().replace(/\s/g, '').toLowerCase();
      const found = emulator.messages.filter((message) => `${message.phone} ${message.text}`.replace(/\s/g, '').toLowerCase().includes(text));
      const shown = found.slice(0, most);
      keyed(cards, shown, (message) => message.id, card);
      empty.hidden = shown.length > 0;
      write(total, found.length > most ? t('shown_of', { shown: most, all: found.length }) : t('inbox_count', { count: found.length }));
    },
  };
}

function card(message) {
  const age = h('span', { class: 'nowrap' });
  const chip = codeChip(message);
  const cost = h('span');
  return {
    node: h('li', { class: `message ${message.isFresh ? 'fresh' : ''}` },
      h('div', { class: 'message-head' },
        h('a', { class: 'mono phone', href: `#data/${message.phone}`, title: t('follow_phone') }, message.phone), chip.state,
        h('span', { class: 'message-time soft' }, h('time', { datetime: message.time, class: 'nowrap' }, clockTime(message.time)), age)),
      h('div', { class: 'message-body' }, h('p', {}, message.text), chip.code),
      h('div', { class: 'message-foot soft' }, cost)),
    update() {
      write(age, t('ago', { span: span(now() - Date.parse(message.time)) }));
      chip.update();
      const price = priceOf(message.phone);
      const parts = segments(message.text);
      write(cost, price === null ? t('sms_parts', { parts }) : t('sms_cost', { cost: money(price), parts }));
    },
  };
}

/** The code of a message and its state. Only a code that the service accepts can be copied. */
export function codeChip(message) {
  if (!message.code) return { state: null, code: null, update() {} };
  const state = h('span', { class: 'tag' });
  const button = h('button', { class: 'sms-code', title: t('copy'), 'aria-label': t('copy_code', { code: message.code }), onclick: () => copy(message.code, t('copied', { what: message.code })) },
    h('span', {}, message.code), icon('copy'));
  const dead = h('s', { class: 'sms-code dead' }, message.code);
  return {
    state,
    code: h('span', {}, button, dead),
    update() {
      const { state: name, left } = codeOf(message);
      button.hidden = !isLive(message);
      dead.hidden = !button.hidden;
      state.className = `tag ${name === 'live' ? (left < 60000 ? 'warn' : 'good') : ''}`;
      write(state, t(`sms_${name}`, { span: span(left) }));
    },
  };
}

/** The price of a message in the settings; like the service, the highest price for a region without one. */
function priceOf(phone) {
  const prices = settings()?.sms?.prices;
  if (!prices) return null;
  return prices[regionOf(phone)] ?? Math.max(...Object.values(prices));
}

/** Parts of a text (3GPP TS 23.038 and 23.040): 160 characters of the GSM alphabet, else 70; 153 and 67 in a multi-part message. */
function segments(text) {
  const isSmall = /^[\n\r -Z_a-z]*$/.test(text);
  const [alone, each] = isSmall ? [160, 153] : [70, 67];
  return text.length <= alone ? 1 : Math.ceil(text.length / each);
}
