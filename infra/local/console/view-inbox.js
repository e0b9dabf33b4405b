// The SMS inbox: what would have gone to phones.

import { h, icon, keyed, write } from './dom.js';
import { copy } from './doors.js';
import { clockTime, money, span } from './format.js';
import { now, stage } from './live.js';
import { settings } from './settings.js';
import { t } from './text.js';

export const id = 'inbox';
export const picture = 'inbox';

/** Messages that are shown; the rest is there by the search. */
const MOST_SHOWN = 50;

export function open() {
  const search = h('input', { type: 'search', placeholder: t('inbox_search'), 'aria-label': t('inbox_search'), oninput: () => list.update() });
  const list = messages({ most: MOST_SHOWN, wanted: () => search.value });
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_inbox')), h('p', { class: 'lead' }, t('inbox_lead'))),
    h('div', { class: 'panel' },
      h('header', {}, h('div', { class: 'search' }, search), h('span', { class: 'end soft' }, list.total)),
      list.node));
  return {
    node,
    update(names) {
      if (!names || names.has('messages') || names.has('second') || names.has('clock')) list.update();
    },
  };
}

/** A list of messages, also for other views. `wanted` gives what phone or text must contain. */
export function messages({ most, wanted }) {
  const cards = h('ul', { class: 'messages' });
  const empty = h('div', { class: 'empty' }, h('strong', {}, t('inbox_empty')), t('inbox_empty_hint'));
  const total = h('span');
  return {
    node: h('div', {}, cards, empty),
    total,
    update() {
      const text = wanted().replace(/\s/g, '').toLowerCase();
      const found = stage.messages.filter((message) => `${message.phone} ${message.text}`.toLowerCase().includes(text));
      const shown = found.slice(0, most);
      keyed(cards, shown, (message) => message.id, card);
      empty.hidden = shown.length > 0;
      write(total, found.length > most ? t('shown_of', { shown: most, all: found.length }) : t('inbox_count', { count: found.length }));
    },
  };
}

function card(message) {
  const age = h('span', { class: 'nowrap' });
  const left = h('span', { class: 'tag' });
  const code = message.code
    ? h('button', { class: 'sms-code', title: t('copy'), 'aria-label': t('copy_code', { code: message.code }), onclick: () => copy(message.code, t('copied', { what: message.code })) },
        h('span', {}, message.code), icon('copy'))
    : null;
  const cost = h('span');
  return {
    node: h('li', { class: `message ${message.isFresh ? 'fresh' : ''}` },
      h('div', { class: 'message-head' },
        h('span', { class: 'mono phone' }, message.phone), code ? left : null,
        h('span', { class: 'message-time soft' }, h('time', { datetime: message.time, class: 'nowrap' }, clockTime(message.time)), age)),
      h('div', { class: 'message-body' }, h('p', {}, message.text), code),
      h('div', { class: 'message-foot soft' }, cost)),
    update() {
      write(age, t('ago', { span: span(now() - Date.parse(message.time)) }));
      const rest = validMs(message);
      left.className = `tag ${rest > 0 ? (rest < 60000 ? 'warn' : 'good') : ''}`;
      write(left, rest > 0 ? t('valid_for', { span: span(rest) }) : t('expired'));
      const price = priceOf(message.phone);
      const parts = segments(message.text);
      write(cost, price === null ? t('sms_parts', { parts }) : t('sms_cost', { cost: money(price), parts }));
    },
  };
}

/** What is left of a code's time: it counts from the first message that carries it. */
function validMs(message) {
  const first = stage.messages.findLast((one) => one.phone === message.phone && one.code === message.code) ?? message;
  const ttl = settings()?.veri_code?.ttl_secs ?? 300;
  return Date.parse(first.time) + ttl * 1000 - now();
}

/** Calling codes of the regions that prices are most often set for; the longest that fits counts. */
const CALLING_CODES = { 1: 'US', 33: 'FR', 44: 'GB', 49: 'DE', 65: 'SG', 81: 'JP', 82: 'KR', 86: 'CN', 91: 'IN', 852: 'HK', 853: 'MO', 886: 'TW' };

/** What the settings say that a message costs; as the service does it, the dearest where no price is set. */
function priceOf(phone) {
  const prices = settings()?.sms?.prices;
  if (!prices) return null;
  const digits = phone.replace(/\D/g, '');
  const calling = [3, 2, 1].map((length) => digits.slice(0, length)).find((code) => code in CALLING_CODES);
  return prices[CALLING_CODES[calling]] ?? Math.max(...Object.values(prices));
}

/** Parts that a text goes out in (3GPP TS 23.038 and 23.040): 160 characters of the small alphabet, else 70; fewer when it is cut. */
function segments(text) {
  const isSmall = /^[\n\r -Z_a-z]*$/.test(text);
  const [alone, each] = isSmall ? [160, 153] : [70, 67];
  return text.length <= alone ? 1 : Math.ceil(text.length / each);
}
