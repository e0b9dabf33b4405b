// The routes of the service with forms. The browser keeps the session's cookie, as any client would.

import { curl, decodeToken, operations, request } from './api.js';
import { fill, h, icon, write } from './dom.js';
import { act, copy, move } from './doors.js';
import { dateTime, millis, span } from './format.js';
import { now, stage } from './live.js';
import { language, t, tOr } from './text.js';
import { messages } from './view-inbox.js';
import { verdict } from './view-functions.js';

export const id = 'try';
export const picture = 'send';

/** What was typed, by the name of the field: a phone that asked for a code is there when the code is used. */
const typed = {};
const chosen = { id: null, credential: 'cookie', own: '' };
let lastToken = '';
let lastReply = null;

const CREDENTIALS = ['cookie', 'token', 'own', 'none'];

export function open() {
  const tabs = h('div', { class: 'routes', role: 'group', 'aria-label': t('routes') });
  const form = h('div', { class: 'panel' });
  const reply = h('div', { class: 'panel', 'aria-live': 'polite' });
  const list = messages({ most: 5, wanted: () => '' });
  const token = tokenPanel();
  let current = null;
  let known = [];

  operations(stage.about.name || 'local').then((found) => {
    known = found;
    if (!found.length) fill(form, h('div', { class: 'empty' }, h('strong', {}, t('try_none')), t('try_none_hint')));
    else choose(found.find(({ id }) => id === chosen.id) ?? found[0]);
  });

  function choose(operation) {
    chosen.id = operation.id;
    fill(tabs, known.map((one) => h('button', { 'aria-pressed': one === operation ? 'true' : 'false', onclick: () => choose(one) },
      h('span', { class: 'method' }, one.method), h('span', { class: 'mono' }, one.path.split('/').slice(-1)[0]))));
    current = operationForm(operation, (answer) => {
      lastReply = answer;
      if (answer.token) {
        lastToken = answer.token;
        token.show(lastToken);
      }
      fill(reply, replyOf(answer));
    });
    fill(form, current.node);
  }

  fill(reply, lastReply ? replyOf(lastReply) : h('div', { class: 'empty' }, h('strong', {}, t('reply_none')), t('reply_hint')));
  token.show(lastToken);
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_try')), h('p', { class: 'lead' }, t('try_lead'))),
    tabs,
    h('div', { class: 'beside' },
      h('div', { class: 'stack' }, form, reply),
      h('div', { class: 'stack' },
        h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('try_messages'))), list.node),
        token.node)));
  return {
    node,
    update(names) {
      if (!names || names.has('messages') || names.has('second') || names.has('clock')) {
        list.update();
        current?.update();
        token.update();
      }
    },
  };
}

function operationForm(operation, done) {
  const inputs = operation.fields.map(input);
  const raw = h('textarea', { rows: '5', spellcheck: 'false', 'aria-label': t('try_body'), oninput: () => { isRaw = true; } });
  let isRaw = false;
  const own = h('input', { type: 'text', class: 'mono', value: chosen.own, placeholder: 'jwt …', 'aria-label': t('credential_own'), oninput: () => { chosen.own = own.value; } });
  const credential = h('select', { 'aria-label': t('credential'), onchange: () => {
    chosen.credential = credential.value;
    own.hidden = credential.value !== 'own';
  } }, CREDENTIALS.map((name) => h('option', { value: name, selected: name === chosen.credential }, t(`credential_${name}`))));
  own.hidden = chosen.credential !== 'own';

  function credentialNow() {
    if (operation.isOpen) return { usesCookie: true };
    const name = credential.value;
    return { usesCookie: name === 'cookie', authorization: name === 'token' && lastToken ? `jwt ${lastToken}` : name === 'own' ? own.value : undefined };
  }

  function wish() {
    const made = request(operation, typed, credentialNow());
    if (isRaw && made.body !== undefined) made.body = raw.value;
    return made;
  }

  function preview() {
    isRaw = false;
    raw.value = request(operation, typed, {}).body ?? '';
  }

  const send = h('button', { class: 'main-act', type: 'submit' }, icon('send'), t('try_send'));
  const node = h('form', { class: 'pad', novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    act(send, async () => done(await call(wish(), credentialNow())));
  } },
    h('div', {}, h('h2', { class: 'operation' }, h('span', { class: 'method' }, operation.method), ' ', h('span', { class: 'mono' }, operation.path)),
      h('p', { class: 'hint' }, operation.summary, '. ', operation.isOpen ? t('try_open') : t('try_guarded'))),
    inputs.length ? h('div', { class: 'fields' }, inputs.map(({ node }) => node)) : null,
    operation.isOpen ? null : h('div', { class: 'row' }, h('label', {}, h('span', { class: 'name' }, t('credential')), credential), own),
    operation.hasBody ? h('details', {}, h('summary', {}, t('try_body')), raw) : null,
    h('div', { class: 'row' }, send, h('button', { type: 'button', onclick: () => copy(curl(wish(), credentialNow()), t('copied', { what: 'curl' })) }, icon('copy'), t('try_curl'))));
  node.addEventListener('input', (event) => event.target !== raw && preview());
  preview();
  const update = () => inputs.forEach((one) => one.update());
  update();
  return { node, update };
}

function input(field) {
  const { name } = field;
  if (name === 'Accept-Language') typed[name] ??= language() === 'zh' ? 'zh-CN' : 'en';
  const keep = (event) => { typed[name] = event.currentTarget.value; };
  const label = `try-${name}`;
  const control = field.choices.length
    ? h('select', { id: label, onchange: keep, oninput: keep }, h('option', { value: '' }, '–'), field.choices.map((choice) => h('option', { value: `${choice}`, selected: typed[name] === `${choice}` }, `${choice}`)))
    : h('input', { id: label, type: field.isDate ? 'date' : 'text', autocomplete: 'off', value: typed[name] ?? '', placeholder: field.example === undefined ? '' : `${field.example}`, oninput: keep });
  const fromInbox = h('button', { type: 'button', class: 'use-code', hidden: true, onclick: () => {
    control.value = fromInbox.dataset.code;
    control.dispatchEvent(new Event('input', { bubbles: true }));
  } });
  return {
    node: h('div', { class: `field ${field.place === 'body' ? '' : 'minor'}` },
      h('label', { for: label, class: 'name' }, name, field.isRequired ? h('span', { class: 'must', title: t('try_required') }, ' *') : null, field.place === 'body' ? null : h('span', { class: 'soft' }, ` ${field.place}`)),
      h('div', { class: 'row' }, control, name === 'veri_code' ? fromInbox : null)),
    update() {
      if (name !== 'veri_code') return;
      const digits = (typed.phone ?? '').replace(/\D/g, '').slice(-8);
      const found = stage.messages.find((message) => message.code && message.phone.endsWith(digits));
      fromInbox.hidden = !found;
      fromInbox.dataset.code = found?.code ?? '';
      write(fromInbox, found ? t('try_use_code', { code: found.code }) : '');
    },
  };
}

async function call({ method, path, headers, body }, { usesCookie }) {
  const began = performance.now();
  const answer = await fetch(path, { method, headers, body, credentials: usesCookie ? 'same-origin' : 'omit' });
  const text = await answer.text();
  const ms = performance.now() - began;
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // Shown as it is.
  }
  return { method, path, status: answer.status, headers: [...answer.headers], text, document, ms, token: document?.data?.token, requestId: answer.headers.get('x-request-id') };
}

function replyOf({ method, path, status, headers, text, document, ms, requestId }) {
  const code = document?.code;
  // A limit says when the same request passes again; nobody has to wait for that here.
  const wait = document?.data?.retry_after;
  const kind = verdict({ outcome: status === 200 ? 'ok' : 'error', code });
  return [
    h('header', {}, h('h2', {}, t('reply')), h('span', { class: `tag ${kind}` }, code === undefined ? `HTTP ${status}` : `${code}`),
      h('span', { class: 'soft mono' }, `${method} ${path.split('/').slice(-1)[0]} · ${millis(ms)}`),
      requestId ? h('span', { class: 'end' }, h('a', { class: 'button', href: `#functions/${requestId}` }, t('reply_invocation'))) : null),
    h('div', { class: 'pad' },
      code ? h('p', { class: `why ${kind}` }, document.msg, ' · ', tOr(`code_${code}`, t('code_other', { code }))) : null,
      code && wait ? h('div', { class: 'row' }, move(t('clock_wait', { span: span(wait * 1000) }), () => ({ advance_s: wait }))) : null,
      h('pre', { class: 'code-box reply-body' }, document ? JSON.stringify(document, null, 2) : text),
      h('details', {}, h('summary', {}, t('reply_headers')), h('dl', { class: 'facts mono' }, headers.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])))),
  ];
}

function tokenPanel() {
  const text = h('textarea', { rows: '3', spellcheck: 'false', 'aria-label': t('token'), placeholder: 'eyJ…', oninput: () => update() });
  const claims = h('dl', { class: 'facts mono' });
  const state = h('p', { class: 'hint' });
  function update() {
    const decoded = text.value.trim() ? decodeToken(text.value) : undefined;
    if (!decoded) {
      fill(claims);
      write(state, decoded === null ? t('token_none') : t('token_hint'));
      return;
    }
    const { header, claims: told } = decoded;
    const seconds = new Set(['exp', 'iat', 'nbf']);
    const shown = (name, value) => (seconds.has(name) ? `${value} · ${dateTime(value * 1000)}` : typeof value === 'string' ? value : JSON.stringify(value));
    const rows = [...Object.entries(header), ...Object.entries(told)].map(([name, value]) => [h('dt', {}, name), h('dd', {}, shown(name, value))]);
    if (claims.dataset.of !== text.value) fill(claims, rows);
    claims.dataset.of = text.value;
    const left = (told.exp ?? 0) * 1000 - now();
    write(state, `${told.exp === undefined ? '' : left > 0 ? t('token_valid', { span: span(left) }) : t('token_expired', { span: span(-left) })} ${t('token_unchecked')}`);
  }
  return {
    update,
    show(token) {
      if (token) text.value = token;
      update();
    },
    node: h('div', { class: 'panel' }, h('h2', {}, t('token')), h('div', { class: 'pad' }, text, state, claims)),
  };
}
