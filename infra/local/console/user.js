// Parts of views that show a user: its state, its row and its events, as the table or the API has them.

import { h } from './dom.js';
import { copy } from './feedback.js';
import { storedTime } from './format.js';
import { t, tOr } from './text.js';

/** Attributes in the order of the API; the others follow. */
const ATTRIBUTES = ['id', 'user_name', 'gender', 'birth_day', 'province', 'city', 'phone', 'role', 'create_time', 'update_time', 'is_delete', 'is_disabled', 'delete_time', 'deleted_by_admin'];

/** The role, and what has become of the user. */
export function stateTags({ role, is_delete: isDeleted, is_disabled: isDisabled }) {
  const state = isDeleted ? 'deleted' : isDisabled ? 'disabled' : 'live';
  return h('span', { class: 'row' }, h('span', { class: `tag ${role === 'admin' ? 'warn' : ''}` }, role), h('span', { class: `tag ${state === 'live' ? 'good' : 'bad'}` }, t(`user_${state}`)));
}

/** The whole row. */
export function facts(user) {
  const id = h('button', { class: 'link mono', title: t('copy'), onclick: () => copy(user.id, t('copied', { what: 'id' })) }, user.id);
  const shown = (name, value) => {
    if (name === 'id') return id;
    if (name.endsWith('_time')) return time(value);
    if (name === 'gender') return `${value} · ${tOr(`gender_${value}`, '–')}`;
    if (value === null || value === '') return '–';
    return typeof value === 'object' ? JSON.stringify(value) : `${value}`;
  };
  const names = [...ATTRIBUTES.filter((name) => name in user), ...Object.keys(user).filter((name) => !ATTRIBUTES.includes(name))];
  return h('dl', { class: 'facts pad' }, names.map((name) => [h('dt', { class: 'mono' }, name), h('dd', {}, shown(name, user[name]))]));
}

/** Who changed what of a user, newest first. */
export function eventList(events) {
  const who = ({ changed_by: by }) => (by ? [by.role, by.credential, by.user_id].filter(Boolean).join(' · ') : t('event_nobody'));
  const what = ({ fields, values }) => fields.map((name) => (name in values ? `${name} = ${values[name]}` : name)).join(', ');
  if (!events.length) return h('div', { class: 'pad soft' }, t('events_none'));
  return h('ul', { class: 'events' }, events.map((event) => h('li', {},
    h('span', { class: 'tag' }, `${event.version}`), h('span', { class: 'soft nowrap' }, time(event.at)),
    h('span', { class: 'mono' }, what(event)), h('span', { class: 'end soft', title: event.changed_by?.request_id ?? '' }, who(event)))));
}

/** The table has numbers, the API has texts. */
function time(value) {
  return typeof value === 'string' ? value : storedTime(value);
}
