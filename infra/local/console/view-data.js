// What is stored: users, their sessions, and where a phone or an address stands with the limits.

import { fill, h } from './dom.js';
import { act, door, toast } from './doors.js';
import { count, dateTime, short, span } from './format.js';
import { t, tOr } from './text.js';

export const id = 'data';
export const picture = 'data';

const asked = { phone: '', ip: '127.0.0.1' };

export function open() {
  const users = h('tbody');
  const more = h('button', { hidden: true, onclick: () => act(more, () => page(more.dataset.next)) }, t('data_more'));
  const none = h('div', { class: 'empty', hidden: true }, h('strong', {}, t('users_none')), t('users_none_hint'));
  const who = h('div', { class: 'stack', 'aria-live': 'polite' });
  const phone = h('input', { type: 'search', value: asked.phone, placeholder: '13800138000', oninput: () => { asked.phone = phone.value.trim(); } });
  const ip = h('input', { type: 'text', value: asked.ip, placeholder: '203.0.113.7', oninput: () => { asked.ip = ip.value.trim(); } });
  const look = h('button', { class: 'main-act', type: 'submit' }, t('data_look'));
  const form = h('form', { class: 'row end data-form', onsubmit: (event) => {
    event.preventDefault();
    act(look, async () => {
      await page();
      await standing();
    });
  } },
    h('label', {}, h('span', { class: 'name' }, t('data_phone')), phone),
    h('label', {}, h('span', { class: 'name' }, t('data_ip')), ip), look);

  async function page(before) {
    const query = asked.phone ? `phone=${encodeURIComponent(asked.phone)}` : `limit=20${before ? `&before=${before}` : ''}`;
    const { users: found, next } = await door('GET', `users?${query}`);
    if (!before) fill(users);
    users.append(...found.map((user) => userRow(user, pick)));
    more.hidden = !next;
    more.dataset.next = next ?? '';
    none.hidden = users.childElementCount > 0;
  }

  async function pick(user) {
    phone.value = asked.phone = user.phone;
    for (const row of users.children) row.classList.toggle('chosen', row.dataset.phone === user.phone);
    await standing(user);
  }

  let asking = 0;

  async function standing(user) {
    asking += 1;
    const mine = asking;
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    const document = await door('GET', `limits?${query}`);
    const owner = user ?? (document.phone ? (await door('GET', `users?phone=${encodeURIComponent(document.phone)}`)).users[0] : undefined);
    const sessions = owner ? await door('GET', `sessions?phone=${encodeURIComponent(owner.phone)}&user_id=${owner.id}`) : [];
    // Somebody else has been asked for meanwhile.
    if (mine !== asking) return;
    fill(who, lastPanel(document), owner ? sessionsPanel(owner, sessions, again) : null, limitsPanel(document, again));
    async function again() {
      await standing(user);
    }
  }

  const heads = ['user', 'phone', 'created', 'state'];
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_data')), h('p', { class: 'lead' }, t('data_lead'))),
    h('div', { class: 'panel' }, h('div', { class: 'pad' }, form)),
    h('div', { class: 'beside wide' },
      h('div', { class: 'panel' },
        h('h2', {}, t('users')),
        h('table', { class: 'cards' }, h('thead', {}, h('tr', {}, heads.map((name) => h('th', { scope: 'col' }, t(`head_${name}`))))), users),
        none, h('div', { class: 'row pad-s' }, more)),
      who));
  act(look, async () => {
    await page();
    await standing();
  });
  return { node, update() {} };
}

function userRow(user, pick) {
  const button = h('button', { class: 'link', onclick: (event) => { event.stopPropagation(); act(button, () => pick(user)); } }, `${user.user_name}`);
  const isDeleted = user.is_delete !== 0;
  return h('tr', { class: 'pick', 'data-phone': user.phone, onclick: () => act(button, () => pick(user)) },
    h('td', { class: 'first' }, button),
    h('td', { class: 'mono', 'data-label': t('head_phone') }, user.phone),
    h('td', { class: 'nowrap', 'data-label': t('head_created') }, dateTime(user.create_time * (user.create_time < 1e11 ? 1000 : 1))),
    h('td', { 'data-label': t('head_state') }, h('span', { class: `tag ${isDeleted ? 'bad' : user.role === 'admin' ? 'warn' : ''}` }, isDeleted ? t('user_deleted') : user.role)));
}

/** Why the last request of the phone ended as it did. */
function lastPanel({ phone, last, rows, code }) {
  if (!phone) return null;
  return h('div', { class: 'panel' }, h('h2', {}, t('last_request')), h('div', { class: 'pad' },
    last
      ? [
        h('div', { class: 'row' }, h('strong', { class: 'mono' }, short(last.function)), h('span', { class: `tag ${last.code === 0 ? 'good' : 'warn'}` }, `${last.code ?? '–'}`), h('span', { class: 'soft' }, dateTime(last.time)), h('a', { href: `#functions/${last.request_id}` }, t('reply_invocation'))),
        last.code === 0 ? h('p', { class: 'soft' }, t('last_well')) : h('ul', { class: 'reasons' }, reasons(last, rows, code).map((text) => h('li', {}, text))),
      ]
      : h('p', { class: 'soft' }, t('last_none')),
    code ? h('p', { class: 'soft' }, codeState(code)) : null));
}

function codeState(code) {
  if (code.used) return t('code_used', { what: t(code.used === 'claim' ? 'used_claim' : 'used_session') });
  return t('code_live', { tries: code.tries, most: code.max_tries, span: span(code.ends_in_ms) });
}

function reasons(last, rows, code) {
  if (last.code === 11005) {
    const full = rows.filter((row) => row.wait_ms > 0);
    if (!full.length) return [t('why_not_full')];
    return full.map((row) => t('why_full', { name: row.name, count: count(row.count), max: count(row.max), window: windowOf(row), span: span(row.wait_ms) }));
  }
  if (last.code === 11003) {
    if (!code) return [t('why_no_code')];
    if (code.used) return [codeState(code)];
    return [t(code.tries >= code.max_tries ? 'why_code_ended' : 'why_code_other')];
  }
  return [tOr(`code_${last.code}`, t('code_other', { code: last.code }))];
}

function windowOf(row) {
  return row.window === 'day' ? t('window_day') : row.window;
}

function sessionsPanel(user, sessions, again) {
  return h('div', { class: 'panel' }, h('h2', {}, t('sessions_of', { name: user.user_name })),
    sessions.length
      ? h('ul', { class: 'sessions' }, sessions.map((session) => {
        const end = h('button', { onclick: () => act(end, async () => {
          await door('POST', 'sessions/end', { phone: user.phone, hash: session.hash });
          await again();
        }) }, t('session_end'));
        return h('li', {}, h('span', { class: 'mono', title: session.hash }, `${session.hash.slice(0, 12)}…`), h('span', { class: 'soft' }, t('session_left', { span: span(session.ends_in_ms) })), h('span', { class: 'end' }, end));
      }))
      : h('div', { class: 'pad soft' }, t('sessions_none')));
}

function limitsPanel({ rows, phone, network }, again) {
  const reset = (name) => async () => {
    const { forgotten } = await door('POST', 'limits/reset', { phone, ip: network?.replace('/64', ''), name });
    toast(t('limits_forgotten', { count: forgotten }));
    await again();
  };
  const all = h('button', { onclick: () => act(all, reset(undefined)) }, t('limits_reset'));
  return h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('limits')), h('div', { class: 'end' }, all)),
    h('ul', { class: 'limits' }, rows.map((row) => {
      const one = h('button', { class: 'quiet', 'aria-label': t('limit_reset', { name: row.name }), onclick: () => act(one, reset(row.name)) }, t('reset'));
      const level = h('span', { class: `level ${row.wait_ms > 0 ? 'full' : ''}` });
      level.style.setProperty('--level', `${Math.min(100, (100 * row.count) / row.max)}%`);
      return h('li', {},
        h('div', { class: 'limit-head' }, h('strong', { class: 'mono' }, row.name), row.wait_ms > 0 ? h('span', { class: 'tag bad' }, t('limit_full', { span: span(row.wait_ms) })) : null, one),
        h('div', { class: 'soft limit-what' }, `${row.subject} · ${windowOf(row)}`, row.debt === null ? null : ` · ${t('limit_debt', { debt: row.debt, free: row.debt_free })}`),
        h('div', { class: 'limit-level' }, h('span', { class: 'track' }, level), h('span', { class: 'num' }, `${count(row.count)} / ${count(row.max)}`)));
    })));
}
