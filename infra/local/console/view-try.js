// The operations of the service as forms. The browser stores the session's cookie, like any client.

import { account, learn } from './account.js';
import { call, curl, operations, request } from './api.js';
import { followCodes, liveCode, refreshCodes } from './codes.js';
import { fill, h, icon, write } from './dom.js';
import { act, clockButton, copy } from './feedback.js';
import { millis, span } from './format.js';
import { emulator } from './live.js';
import { verdict } from './outcome.js';
import { e164 } from './phone.js';
import { language, t, tOr } from './text.js';
import { tokenPanel } from './token.js';
import { messages } from './view-inbox.js';

export const id = 'try';
export const picture = 'send';

/** Values of required fields and of headers by name, shared by all operations: the phone is typed once. */
const shared = {};
/** Values of other fields, by operation. */
const own = {};
const chosen = { id: null, credential: 'cookie', own: '' };
let lastReply = null;

const CREDENTIALS = ['cookie', 'token', 'own', 'none'];

/** `wanted` is the id of an operation. */
export function open(wanted) {
  if (wanted) chosen.id = wanted;
  const tabs = h('div', { class: 'routes', role: 'group', 'aria-label': t('routes') });
  const form = h('div', { class: 'panel' });
  const reply = h('div', { class: 'panel', 'aria-live': 'polite' });
  const list = messages({ most: 5, wanted: () => '' });
  const token = tokenPanel();
  let current = null;
  let known = [];

  operations(emulator.about.name || 'local', language()).then((found) => {
    known = found;
    if (!found.length) fill(form, h('div', { class: 'empty' }, h('strong', {}, t('try_none')), t('try_none_hint')));
    else choose(found.find(({ id }) => id === chosen.id) ?? found[0]);
  });

  function choose(operation) {
    chosen.id = operation.id;
    fill(tabs, known.map((one) => h('button', { 'aria-pressed': one === operation ? 'true' : 'false', onclick: () => choose(one) },
      h('span', { class: 'method' }, one.method), h('span', { class: 'mono' }, one.name))));
    current = operationForm(operation, (answer) => {
      lastReply = answer;
      if (answer.document?.data?.token) token.show(account().token);
      fill(reply, replyOf(answer));
      current.update();
      refreshCodes();
    });
    fill(form, current.node);
  }

  fill(reply, lastReply ? replyOf(lastReply) : h('div', { class: 'empty' }, h('strong', {}, t('reply_none')), t('reply_hint')));
  token.show(account().token);
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_try')), h('p', { class: 'lead' }, t('try_lead'), ' ', h('a', { href: `/docs/${language()}/` }, t('try_docs')))),
    tabs,
    h('div', { class: 'beside' },
      h('div', { class: 'stack' }, form, reply),
      h('div', { class: 'stack' },
        h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('try_messages')), h('a', { class: 'end', href: '#inbox' }, t('try_all_messages'))), list.node),
        token.node)));
  return {
    node,
    update(names) {
      followCodes(names);
      list.update(names);
      if (!names || names.has('codes') || names.has('second') || names.has('clock')) {
        current?.update();
        token.update();
      }
    },
  };
}

function operationForm(operation, done) {
  const placeOf = (field) => (field.isRequired || field.place === 'header' ? shared : (own[operation.id] ??= {}));
  const valuesNow = () => Object.fromEntries(operation.fields.map((field) => [field.name, placeOf(field)[field.name]]));
  const hasPhone = operation.fields.some(({ name }) => name === 'phone');
  /** Whose code a field takes: that of the typed phone, or of the user who has signed in. */
  const phoneOfCode = (name) => (name === 'veri_code' && hasPhone ? e164(shared.phone ?? '') : credentialNow().usesCookie ? account().phone : '');
  const inputs = operation.fields.map((field) => input(field, placeOf(field), phoneOfCode));
  const raw = h('textarea', { rows: '5', spellcheck: 'false', 'aria-label': t('try_body'), oninput: () => { isRaw = true; } });
  let isRaw = false;
  const header = h('input', { type: 'text', class: 'mono', value: chosen.own, placeholder: 'jwt …', 'aria-label': t('credential_own'), oninput: () => { chosen.own = header.value; update(); } });
  const state = h('p', { class: 'hint' });
  const credential = h('select', { 'aria-label': t('credential'), onchange: () => {
    chosen.credential = credential.value;
    header.hidden = credential.value !== 'own';
    update();
  } }, CREDENTIALS.map((name) => h('option', { value: name, selected: name === chosen.credential }, t(`credential_${name}`))));
  header.hidden = chosen.credential !== 'own';

  function credentialNow() {
    if (operation.isOpen) return { usesCookie: true };
    const name = credential.value;
    return { usesCookie: name === 'cookie', authorization: name === 'token' && account().token ? `jwt ${account().token}` : name === 'own' ? header.value : undefined };
  }

  function requestOfForm(credential) {
    const made = request(operation, valuesNow(), credential);
    if (isRaw && made.body !== undefined) made.body = raw.value;
    return made;
  }

  /** What a shell can send in place of the browser's cookie, which no script can read; null if there is nothing. */
  function credentialOfShell() {
    const one = credentialNow();
    if (operation.isOpen || !one.usesCookie) return one;
    const { token } = account();
    return operation.takesToken && token ? { authorization: `jwt ${token}` } : null;
  }

  function preview() {
    isRaw = false;
    raw.value = request(operation, valuesNow(), {}).body ?? '';
  }

  const send = h('button', { class: 'main-act', type: 'submit' }, icon('send'), t('try_send'));
  const asCurl = h('button', { type: 'button', onclick: () => copy(curl(requestOfForm(credentialOfShell())), t('copied', { what: 'curl' })) }, icon('copy'), t('try_curl'));
  const noCurl = h('p', { class: 'hint', id: 'no-curl' });
  const node = h('form', { class: 'pad', novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    act(send, async () => {
      const credential = credentialNow();
      const sent = requestOfForm(credential);
      const phone = phoneOf(sent.body);
      const answer = await call(sent, credential);
      learn(operation, phone, answer.document ?? {}, credential.usesCookie);
      done({ ...answer, name: operation.name, phone });
    });
  } },
    h('div', {}, h('h2', { class: 'operation' }, h('span', { class: 'method' }, operation.method), ' ', h('span', { class: 'mono' }, operation.path)),
      h('p', { class: 'hint' }, t('try_summary', { summary: operation.summary, access: operation.isOpen ? t('try_open') : t('try_guarded') }))),
    inputs.length ? h('div', { class: 'fields' }, inputs.map(({ node }) => node)) : null,
    operation.isOpen ? null : h('div', { class: 'row end' }, h('label', {}, h('span', { class: 'name' }, t('credential')), credential), header, state),
    operation.hasBody ? h('details', {}, h('summary', {}, t('try_body')), raw) : null,
    h('div', { class: 'row' }, send, asCurl), noCurl);
  node.addEventListener('input', (event) => {
    if (event.target !== raw) preview();
    update();
  });
  function update() {
    inputs.forEach((one) => one.update());
    write(state, stateOf(credential.value, operation));
    const isPossible = credentialOfShell() !== null;
    asCurl.disabled = !isPossible;
    noCurl.hidden = isPossible;
    write(noCurl, t(operation.takesToken ? 'curl_needs_token' : 'curl_needs_session'));
  }
  preview();
  update();
  return { node, update };
}

/** What a request with this credential can expect. */
function stateOf(credential, { takesToken }) {
  const { phone, token } = account();
  if (credential === 'cookie') return phone ? t('credential_phone', { phone }) : t('credential_missing');
  if (credential !== 'token') return '';
  if (!takesToken) return t('credential_session');
  return token ? '' : t('credential_missing');
}

/** A field of a form; `values` has the value by name. */
function input(field, values, phoneOfCode) {
  const { name } = field;
  const isCode = name.endsWith('veri_code');
  if (name === 'Accept-Language') values[name] ??= language() === 'zh' ? 'zh-CN' : 'en';
  const store = (event) => { values[name] = event.currentTarget.value; };
  const label = `try-${name}`;
  const control = field.choices.length
    ? h('select', { id: label, onchange: store, oninput: store }, h('option', { value: '' }, '–'), field.choices.map((choice) => h('option', { value: `${choice}`, selected: values[name] === `${choice}` }, `${choice}`)))
    : h('input', { id: label, type: field.isDate ? 'date' : 'text', autocomplete: 'off', value: values[name] ?? '', placeholder: field.example === undefined ? '' : `${field.example}`, oninput: store });
  const fromInbox = h('button', { type: 'button', class: 'use-code', hidden: true, onclick: () => {
    control.value = fromInbox.dataset.code;
    control.dispatchEvent(new Event('input', { bubbles: true }));
  } });
  return {
    node: h('div', { class: `field ${field.place === 'body' ? '' : 'minor'}` },
      h('label', { for: label, class: 'name' }, name, field.isRequired ? h('span', { class: 'must', title: t('try_required') }, ' *') : null, field.place === 'body' ? null : h('span', { class: 'soft' }, ` ${field.place}`)),
      h('div', { class: 'row' }, control, isCode ? fromInbox : null)),
    update() {
      if (!isCode) return;
      const code = liveCode(phoneOfCode(name));
      fromInbox.hidden = !code;
      fromInbox.dataset.code = code ?? '';
      write(fromInbox, code ? t('try_use_code', { code }) : '');
    },
  };
}

/** The phone that a request names. */
function phoneOf(body) {
  try {
    return e164(`${JSON.parse(body).phone ?? ''}`);
  } catch {
    return '';
  }
}

function replyOf({ method, name, phone, status, headers, text, document, ms, requestId }) {
  const code = document?.code;
  const wait = document?.data?.retry_after;
  const kind = verdict({ outcome: status === 200 ? 'ok' : 'error', code });
  return [
    h('header', {}, h('h2', {}, t('reply')), h('span', { class: `tag ${kind}` }, code === undefined ? `HTTP ${status}` : `${code}`),
      h('span', { class: 'soft mono' }, `${method} ${name} · ${millis(ms)}`),
      h('span', { class: 'end' },
        phone ? h('a', { class: 'button', href: `#data/${phone}` }, t('follow_phone')) : null,
        requestId ? h('a', { class: 'button', href: `#functions/${requestId}` }, t('reply_invocation')) : null)),
    h('div', { class: 'pad' },
      code ? h('p', { class: `why ${kind}` }, document.msg, ' · ', tOr(`code_${code}`, t('code_other', { code }))) : null,
      code && wait ? h('div', { class: 'row' }, clockButton(t('clock_wait', { span: span(wait * 1000) }), () => ({ advance_s: wait }))) : null,
      h('pre', { class: 'code-box reply-body', tabindex: '0' }, document ? JSON.stringify(document, null, 2) : text),
      h('details', {}, h('summary', {}, t('reply_headers')), h('dl', { class: 'facts mono' }, headers.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])))),
  ];
}
