// What the service has stored, and everything about one phone in one place.

import { control } from './control-api.js';
import { followCodes } from './codes.js';
import { fill, h, keyed } from './dom.js';
import { act, toast } from './feedback.js';
import { storedTime } from './format.js';
import { followPanels } from './follow.js';
import { emulator, now } from './live.js';
import { load as loadSettings } from './settings.js';
import { t, tOr } from './text.js';
import { stateTags } from './user.js';

export const id = 'data';
export const picture = 'data';

/** Users of a page. */
const PAGE = 20;

/** Between two requests while the view is open. */
const PAUSE_MS = 500;

const subject = { phone: '', ip: '127.0.0.1' };

/** `wanted` is a phone. */
export function open(wanted) {
  if (wanted) subject.phone = wanted;
  const users = h('tbody');
  const deleted = h('input', { type: 'checkbox', onchange: () => act(deleted, () => page()) });
  const more = h('button', { hidden: true, onclick: () => act(more, () => page(more.dataset.next)) }, t('data_more'));
  const none = h('div', { class: 'empty', hidden: true }, h('strong', {}, t('users_none')), h('a', { href: '#try' }, t('users_none_hint')));
  const details = h('div', { class: 'stack' });
  const phone = h('input', { type: 'search', value: subject.phone, placeholder: '13800138000' });
  const ip = h('input', { type: 'text', value: subject.ip, placeholder: '203.0.113.7' });
  const submit = h('button', { class: 'main-act', type: 'submit' }, t('data_show'));
  const form = h('form', { class: 'row end data-form', onsubmit: (event) => {
    event.preventDefault();
    Object.assign(subject, { phone: phone.value.trim(), ip: ip.value.trim() });
    act(submit, load);
  } },
    h('label', {}, h('span', { class: 'name' }, t('data_phone')), phone),
    h('label', {}, h('span', { class: 'name' }, t('data_ip')), ip), submit);

  let listed = [];

  /** Reads the first page, or with `before` the next one. */
  async function page(before) {
    const { users: found, next } = await control('GET', `users?limit=${PAGE}&state=${deleted.checked ? 'deleted' : ''}${before ? `&before=${before}` : ''}`);
    listed = before ? [...listed, ...found] : found;
    keyed(users, listed, (user) => `${emulator.clock.zone} ${JSON.stringify(user)}`, (user) => userRow(user, pick));
    mark();
    more.hidden = !next;
    more.dataset.next = next ?? '';
    none.hidden = listed.length > 0;
  }

  function mark() {
    for (const row of users.children) row.classList.toggle('chosen', row.dataset.phone === followed);
  }

  async function pick(user) {
    phone.value = subject.phone = user.phone;
    await follow();
    details.scrollIntoView({ block: 'nearest' });
  }

  let asking = 0;
  let shown = '';
  let followed = '';
  let panels = [];

  /** Everything about the phone and the address; the page changes only if the reply does. */
  async function follow() {
    asking += 1;
    const mine = asking;
    const query = new URLSearchParams(Object.entries(subject).filter(([, value]) => value));
    const limits = await control('GET', `limits?${query}`);
    const user = limits.phone ? (await control('GET', `users?phone=${encodeURIComponent(limits.phone)}`)).users[0] : undefined;
    const sessions = user ? await control('GET', `sessions?phone=${encodeURIComponent(user.phone)}&user_id=${user.id}`) : [];
    const events = user ? await control('GET', `audit?user_id=${user.id}`) : [];
    // A later request has its own reply.
    if (mine !== asking) return;
    followed = limits.phone;
    mark();
    const content = JSON.stringify([emulator.clock.zone, limits, user, sessions, events], (key, value) => (key.endsWith('_ms') && value > 0 ? Math.round((now() + value) / 10000) : value));
    if (content !== shown) {
      shown = content;
      panels = followPanels({ limits, user, sessions, events, again: load });
      fill(details, panels.map(({ node }) => node));
    }
    for (const panel of panels) panel.update({ limits });
  }

  async function load() {
    await Promise.all([loadSettings(), page(), follow()]);
  }

  let followedAt = 0;
  let isWaiting = false;

  /** Follows what happens, at most twice a second. */
  function followSoon() {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      followedAt = performance.now();
      if (!node.isConnected) return;
      // Further pages stay as they are.
      const work = listed.length > PAGE ? follow() : load();
      work.catch((error) => toast(error.message, 'bad'));
    }, Math.max(0, followedAt + PAUSE_MS - performance.now()));
  }

  const heads = ['user', 'phone', 'gender', 'birth_day', 'place', 'created', 'state'];
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_data')), h('p', { class: 'lead' }, t('data_lead'))),
    h('div', { class: 'panel' },
      h('header', {}, h('h2', {}, t('users')), h('label', { class: 'check end' }, deleted, t('users_deleted'))),
      h('table', { class: 'cards' }, h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col' }, t(`head_${name}`))))), users),
      none, h('div', { class: 'row pad-s' }, more)),
    h('div', { class: 'panel' }, h('h2', {}, t('data_follow')), h('div', { class: 'pad' }, form)),
    details);
  act(submit, load);
  return {
    node,
    update(names) {
      followCodes(names);
      if (names && ['stage', 'rows', 'messages', 'deadLetters', 'clock', 'codes'].some((name) => names.has(name))) followSoon();
      if (names?.has('second')) for (const panel of panels) panel.update({});
    },
  };
}

function userRow(user, pick) {
  const button = h('button', { class: 'link', onclick: (event) => { event.stopPropagation(); act(button, () => pick(user)); } }, `${user.user_name}`);
  const cell = (name, ...children) => h('td', { 'data-label': t(`head_${name}`) }, children);
  const node = h('tr', { class: 'pick', 'data-phone': user.phone, onclick: () => act(button, () => pick(user)) },
    h('td', { class: 'first' }, button, h('span', { class: 'soft mono block' }, user.id)),
    cell('phone', h('span', { class: 'mono' }, user.phone)),
    cell('gender', tOr(`gender_${user.gender}`, `${user.gender}`)),
    cell('birth_day', h('span', { class: 'nowrap' }, user.birth_day ?? '–')),
    cell('place', placeOf(user)),
    cell('created', h('span', { class: 'nowrap' }, storedTime(user.create_time))),
    cell('state', stateTags(user)));
  return { node };
}

function placeOf({ province, city }) {
  return [province, city].filter(Boolean).join(' ') || '–';
}
