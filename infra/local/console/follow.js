// Everything about one phone: what was sent to it, what is stored of it, and which of its requests were refused.

import { codeChip } from './view-inbox.js';
import { control } from './control-api.js';
import { h, icon, keyed, write } from './dom.js';
import { act, toast } from './feedback.js';
import { clockTime, count, dateTime, short, span, storedMs, storedTime } from './format.js';
import { emulator, now } from './live.js';
import { verdict } from './outcome.js';
import { settings } from './settings.js';
import { t, tOr } from './text.js';
import { eventList, facts, stateTags } from './user.js';

/** Entries of the timeline. */
const MAX_ENTRIES = 60;

/** The panels of a phone and an address. `again()` reads everything again; `update({ limits })` is called after each reply, `update({})` each second. */
export function followPanels({ limits, user, sessions, events, again }) {
  const [about, rest] = [user ? [userPanel(user, again), sessionsPanel(user, sessions, again), eventsPanel(user, events)] : [], limitsPanel(limits, again)];
  const columns = {
    node: h('div', { class: 'columns' }, user ? h('div', { class: 'stack' }, about.map(({ node }) => node)) : null, rest.node),
    update: (news) => [...about, rest].forEach((panel) => panel.update(news)),
  };
  return [limits.phone ? timelinePanel(limits, user) : null, columns].filter(Boolean);
}

/** Texts with a remaining time, which goes down between two answers. */
function countdowns() {
  const texts = [];
  return {
    span(ms, text) {
      const [node, ends] = [h('span'), now() + ms];
      const update = () => write(node, text(span(ends - now())));
      update();
      texts.push(update);
      return node;
    },
    update: () => texts.forEach((update) => update()),
  };
}

function timelinePanel({ phone, last, rows, code }, user) {
  const list = h('ol', { class: 'timeline' });
  const none = h('p', { class: 'soft pad' }, t('follow_none'));
  const times = countdowns();
  const node = h('div', { class: 'panel follow' },
    h('header', {}, h('h2', {}, t('follow_title', { phone })), h('span', { class: 'end' }, h('a', { href: '#inbox' }, t('nav_inbox')), h('a', { href: '#jobs' }, t('dead_letters')))),
    h('div', { class: 'pad' },
      last && !isFine(last) ? h('div', {}, h('p', {}, t('follow_last', { function: short(last.function), code: last.code ?? t(`outcome_${last.outcome}`) })), h('ul', { class: 'reasons' }, reasons(last, rows, code, times).map((text) => h('li', {}, text)))) : null,
      last?.code === 11003 ? null : h('p', { class: 'soft' }, code ? codeState(code, times) : t('code_none'))),
    list, none, h('p', { class: 'hint pad' }, t('follow_hint', { masked: `${phone.slice(0, -8)}****${phone.slice(-4)}` })));
  let requests = [];
  return {
    node,
    update({ limits }) {
      requests = limits?.requests ?? requests;
      const entries = timeline(phone, requests, user);
      keyed(list, entries, (entry) => entry.key, (entry) => entry.make());
      none.hidden = entries.length > 0;
      times.update();
    },
  };
}

function isFine({ outcome, code }) {
  return verdict({ outcome, code }) === 'good';
}

/** Requests, messages, dead letters and the registration, newest first. */
function timeline(phone, requests, user) {
  const entries = [
    ...requests.map((one) => ({ key: `request ${one.request_id} ${one.time}`, time: Date.parse(one.time), make: () => requestEntry(one) })),
    ...emulator.messages.filter((one) => one.phone === phone).map((one) => ({ key: `sms ${one.id}`, time: Date.parse(one.time), make: () => messageEntry(one) })),
    ...emulator.deadLetters.newest.filter((one) => one.event.includes(phone)).map((one) => ({ key: `dead ${one.id}`, time: Date.parse(one.time), make: () => deadEntry(one) })),
  ];
  if (user) {
    const time = storedMs(user.create_time);
    entries.push({ key: `user ${user.id}`, time, make: () => userEntry(user, time) });
  }
  return entries.sort((one, other) => other.time - one.time).slice(0, MAX_ENTRIES);
}

function entry(time, kind, ...children) {
  return h('li', {}, h('time', { class: 'soft mono', title: dateTime(time) }, clockTime(time)), h('span', { class: 'kind' }, t(`follow_${kind}`)), h('div', { class: 'row what' }, children));
}

function requestEntry({ time, function: name, code, outcome, request_id: id }) {
  const hasRoute = emulator.functions.some((one) => one.name === name && one.routes.length);
  const kind = verdict({ outcome, code });
  const text = outcome !== 'ok' ? t(`outcome_${outcome}`) : code ? tOr(`code_${code}`, t('code_other', { code })) : t('follow_succeeded');
  return { node: entry(Date.parse(time), hasRoute ? 'request' : 'task',
    h('strong', { class: 'mono' }, short(name)), h('span', { class: `tag ${kind}` }, outcome === 'ok' ? `${code ?? 'ok'}` : t(`outcome_${outcome}`)),
    h('span', { class: kind === 'good' ? 'soft' : '' }, text), h('a', { class: 'end', href: `#functions/${id}` }, t('reply_invocation'))) };
}

function messageEntry(message) {
  const chip = codeChip(message);
  return { node: entry(Date.parse(message.time), 'sms', h('span', {}, icon('inbox'), ' ', message.text), chip.state, chip.code), update: chip.update };
}

function deadEntry(deadLetter) {
  return { node: entry(Date.parse(deadLetter.time), 'dead', h('strong', { class: 'mono' }, short(deadLetter.function)), h('span', { class: 'tag bad' }, t(`outcome_${deadLetter.outcome}`)), h('span', {}, deadLetter.reason), h('a', { class: 'end', href: '#jobs' }, t('nav_jobs'))) };
}

function userEntry(user, time) {
  return { node: entry(time, 'stored', h('span', {}, icon('data'), ' ', t('follow_registered', { name: user.user_name })), h('span', { class: 'soft mono' }, user.id)) };
}

function codeState(code, times) {
  if (code.used) return t('code_used');
  if (code.tries >= code.max_tries) return t('why_code_ended');
  return times.span(code.ends_in_ms, (span) => t('code_live', { tries: code.tries, most: code.max_tries, span }));
}

/** Why the last request was refused. */
function reasons(last, rows, code, times) {
  if (last.code === 11005) {
    const full = rows.filter((row) => row.wait_ms > 0);
    if (!full.length) return [t('why_not_full')];
    return full.map((row) => times.span(row.wait_ms, (span) => t('why_full', { name: row.name, count: count(row.count), max: count(row.max), window: windowOf(row), span })));
  }
  if (last.code === 11003) {
    if (!code) return [t('why_no_code')];
    if (code.used) return [codeState(code, times)];
    return [t(code.tries >= code.max_tries ? 'why_code_ended' : 'why_code_other')];
  }
  return [last.outcome === 'ok' ? tOr(`code_${last.code}`, t('code_other', { code: last.code })) : t(`outcome_${last.outcome}`)];
}

function windowOf(row) {
  return ['day', 'success'].includes(row.window) ? t(`window_${row.window}`) : row.window;
}

/** The whole row, as an admin sees it, and what has become of the user. */
function userPanel(user, again) {
  const isAdmin = user.role === 'admin';
  const role = h('button', { onclick: () => act(role, async () => {
    await control('POST', 'users/role', { phone: user.phone, role: isAdmin ? 'user' : 'admin' });
    toast(t('role_changed', { name: user.user_name, role: isAdmin ? 'user' : 'admin' }));
    await again();
  }) }, t(isAdmin ? 'make_user' : 'make_admin'));
  const times = countdowns();
  const erased = (user.delete_time ?? 0) + (settings()?.restore_days ?? 0) * 86400000;
  return {
    update: times.update,
    node: h('div', { class: 'panel' },
      h('header', {}, h('h2', {}, t('user_row', { name: user.user_name })), h('div', { class: 'row end' }, user.is_delete ? null : role, h('a', { class: 'button', href: `#admin/${user.id}` }, t('user_as_admin')))),
      h('div', { class: 'row pad' }, stateTags(user), user.is_delete ? h('span', {}, times.span(erased - now(), (span) => t('user_erased', { span })), ' ', t(user.deleted_by_admin ? 'user_restored_by_admin' : 'user_restored_by_login')) : null),
      facts(user),
      h('p', { class: 'hint pad' }, t('role_hint'))),
  };
}

function sessionsPanel(user, sessions, again) {
  const times = countdowns();
  return {
    update: times.update,
    node: h('div', { class: 'panel' }, h('h2', {}, t('sessions_of', { name: user.user_name })),
      sessions.length
        ? h('ul', { class: 'sessions' }, sessions.map((session) => {
          const end = h('button', { onclick: () => act(end, async () => {
            await control('POST', 'sessions/end', { phone: user.phone, hash: session.hash });
            await again();
          }) }, t('session_end'));
          return h('li', {}, h('span', { class: 'mono', title: session.hash }, `${session.hash.slice(0, 12)}…`), h('span', { class: 'soft nowrap' }, storedTime(session.opened_at)),
            h('span', {}, [session.network, session.client].filter(Boolean).join(' · ')), h('span', { class: 'soft' }, times.span(session.ends_in_ms, (span) => t('session_left', { span }))), h('span', { class: 'end' }, end));
        }))
        : h('div', { class: 'pad soft' }, t('sessions_none'))),
  };
}

function eventsPanel(user, events) {
  return { node: h('div', { class: 'panel' }, h('h2', {}, t('events_of', { name: user.user_name })), eventList(events)), update() {} };
}

function limitsPanel({ rows, phone, network }, again) {
  const times = countdowns();
  const reset = (name) => async () => {
    const { forgotten } = await control('POST', 'limits/reset', { phone, ip: network?.replace('/64', ''), name });
    toast(t('limits_deleted', { count: forgotten }));
    await again();
  };
  const all = h('button', { onclick: () => act(all, reset(undefined)) }, t('limits_reset'));
  return {
    update: times.update,
    node: h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('limits')), h('div', { class: 'end' }, all)),
      h('ul', { class: 'limits' }, rows.map((row) => {
        const one = h('button', { class: 'quiet', 'aria-label': t('limit_reset', { name: row.name }), onclick: () => act(one, reset(row.name)) }, t('reset'));
        const level = h('span', { class: `level ${row.wait_ms > 0 ? 'full' : ''}` });
        level.style.setProperty('--level', `${Math.min(100, (100 * row.count) / row.max)}%`);
        return h('li', {},
          h('div', { class: 'limit-head' }, h('strong', { class: 'mono' }, row.name), row.wait_ms > 0 ? h('span', { class: 'tag bad' }, times.span(row.wait_ms, (span) => t('limit_full', { span }))) : null, one),
          h('div', { class: 'soft limit-what' }, `${row.subject} · ${windowOf(row)}`, row.debt === null ? null : ` · ${t('limit_unused', { debt: row.debt, free: row.debt_free })}`),
          h('div', { class: 'limit-level' }, h('span', { class: 'track' }, level), h('span', { class: 'num' }, `${count(row.count)} / ${count(row.max)}`)));
      }))),
  };
}
