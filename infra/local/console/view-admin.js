// What an admin sees and changes of a user: by the API alone, with the session that the browser has.

import { call, operations, request } from './api.js';
import { fill, h } from './dom.js';
import { act, toast } from './feedback.js';
import { short } from './format.js';
import { emulator } from './live.js';
import { e164 } from './phone.js';
import { language, t, tOr } from './text.js';
import { eventList, facts, stateTags } from './user.js';

export const id = 'admin';
export const picture = 'shield';

const NO_USER = 11004;
/** Refusals that another sign-in can end. */
const NOT_ADMIN = new Set([10005, 10006, 10007, 10008]);

const subject = { text: '' };

/** `wanted` is a phone or the id of a user. */
export function open(wanted) {
  if (wanted) subject.text = wanted;
  const text = h('input', { type: 'search', value: subject.text, placeholder: '13800138000' });
  const submit = h('button', { class: 'main-act', type: 'submit' }, t('data_show'));
  const form = h('form', { class: 'row end data-form', onsubmit: (event) => {
    event.preventDefault();
    subject.text = text.value.trim();
    act(submit, show);
  } }, h('label', {}, h('span', { class: 'name' }, t('admin_who')), text), submit);
  const refusal = h('div', { class: 'refusal', role: 'status' });
  const found = h('div', { class: 'columns' });
  const events = h('div');
  const more = h('button', { hidden: true, onclick: () => act(more, () => page(more.dataset.next)) }, t('admin_more'));
  let user = null;
  let listed = [];

  /** The reply of an operation of the description; null if it is refused, which the page then says. */
  async function ask(operation, values) {
    const described = (await operations(emulator.about.name || 'local', language())).find((one) => one.id === operation);
    if (!described) throw new Error(t('try_none'));
    const { document, status } = await call(request(described, values, {}), { usesCookie: true });
    const code = document?.code ?? status;
    const reset = code === NO_USER && operation === 'admin_user' && e164(subject.text) ? resetTries(e164(subject.text)) : null;
    fill(refusal, code === 0 ? null : [
      h('p', { class: 'why warn' }, `${code} · `, code === NO_USER ? document.msg : tOr(`code_${code}`, t('code_other', { code }))),
      NOT_ADMIN.has(code) ? h('p', {}, t('admin_sign_in'), ' ', h('a', { href: '#data' }, t('nav_data')), ' · ', h('a', { href: '#try/login' }, t('nav_try'))) : null,
      reset]);
    return code === 0 ? document : null;
  }

  async function show() {
    user = null;
    fill(found);
    if (!subject.text) return;
    const reply = await ask('admin_user', { [/^[\da-f-]{36}$/i.test(subject.text) ? 'id' : 'phone']: subject.text });
    if (reply) await draw(reply.data);
  }

  async function draw(row) {
    user = row;
    const name = row.user_name;
    const isDeleted = row.is_delete === 1;
    const button = (key, change, kind = '') => {
      const node = h('button', { class: kind, onclick: () => act(node, async () => {
        const reply = await ask('admin_update', { id: row.id, ...change });
        if (!reply) return;
        toast(t('admin_done', { name, what: t(key) }));
        await draw(reply.data);
      }) }, t(key));
      return node;
    };
    fill(found,
      h('div', { class: 'panel' },
        h('header', {}, h('h2', {}, name), stateTags(row)),
        facts(row),
        h('div', { class: 'row pad' },
          isDeleted ? null : [
            row.role === 'admin' ? button('make_user', { role: 'user' }) : button('make_admin', { role: 'admin' }),
            row.is_disabled ? button('admin_enable', { disabled: 'false' }) : button('admin_disable', { disabled: 'true' }, 'danger'),
            button('admin_end_sessions', { end_sessions: 'true' })],
          isDeleted ? button('admin_restore', { restore: 'true' }) : button('admin_delete', { delete: 'true' }, 'danger'),
          resetTries(row.phone))),
      h('div', { class: 'panel' }, h('h2', {}, t('events_of', { name })), events, h('div', { class: 'row pad-s' }, more)));
    await page();
  }

  function resetTries(phone) {
    const node = h('button', { onclick: () => act(node, async () => {
      if (await ask('admin_update', { phone, reset_tries: 'true' })) toast(t('admin_done', { name: phone, what: t('admin_reset_tries') }));
    }) }, t('admin_reset_tries'));
    return node;
  }

  /** Reads the newest events, or with `cursor` the next ones. */
  async function page(cursor) {
    const reply = await ask('admin_audit', { id: user.id, cursor });
    if (!reply) return;
    listed = cursor ? [...listed, ...reply.data] : reply.data;
    fill(events, eventList(listed));
    more.hidden = !reply.next;
    more.dataset.next = reply.next ?? '';
  }

  /** The last run of the function that writes events. */
  const written = () => [...emulator.recent].find(([name]) => short(name) === 'audit')?.[1].at(-1)?.request_id;
  let seen = written();
  act(submit, show);
  return {
    node: h('section', { class: 'view' },
      h('header', {}, h('h1', {}, t('nav_admin')), h('p', { class: 'lead' }, t('admin_lead'))),
      h('div', { class: 'panel' }, h('h2', {}, t('admin_find')), h('div', { class: 'pad' }, form, refusal)), found),
    update(names) {
      if (!names?.has('rows') || written() === seen) return;
      seen = written();
      if (user) page();
    },
  };
}
