// The frame of the page: navigation, the clock, banners, and the current view.

import { fill, h, icon, keyed, write } from './dom.js';
import { control } from './control-api.js';
import { act } from './feedback.js';
import { dateTime, span } from './format.js';
import { connect, emulator, listen, now } from './live.js';
import { language, setLanguage, t } from './text.js';
import { faultWords } from './view-faults.js';
import * as admin from './view-admin.js';
import * as clockAndFaults from './view-control.js';
import * as data from './view-data.js';
import * as functions from './view-functions.js';
import * as inbox from './view-inbox.js';
import * as jobs from './view-jobs.js';
import * as settings from './view-settings.js';
import * as tryIt from './view-try.js';

const VIEWS = [tryIt, inbox, functions, jobs, clockAndFaults, data, admin, settings];
const THEME_KEY = 'badge.theme';

let current = null;
let parts = {};

const params = new URLSearchParams(location.search);
if (params.has('lang')) setLanguage(params.get('lang') === 'zh' ? 'zh' : 'en');
setTheme(localStorage.getItem(THEME_KEY) ?? 'auto');

function setTheme(name) {
  localStorage.setItem(THEME_KEY, name);
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

// The height of the bar depends on the banners and on the width.
const bar = new ResizeObserver(([{ target }]) => document.documentElement.style.setProperty('--top', `${target.offsetHeight}px`));

/** Builds the page, at the start and after a change of language. */
function build() {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';
  parts = {
    stage: h('span', { class: 'stage' }),
    links: new Map(),
    time: h('strong'),
    zone: h('span', { class: 'zone' }),
    dot: h('span', { class: 'dot off' }),
    connection: h('span'),
    banners: h('div', { role: 'status' }),
    main: h('main', { class: 'main', id: 'main', tabindex: '-1' }),
    top: h('div', { class: 'top-group' }),
  };
  const links = VIEWS.map((view, index) => {
    const count = h('span', { class: 'count' });
    const link = h('a', { href: `#${view.id}`, title: `${index + 1}` }, icon(view.picture), h('span', {}, t(`nav_${view.id}`)), count);
    parts.links.set(view.id, { link, count });
    return h('li', {}, link);
  });
  const docs = h('li', { class: 'docs' }, h('a', { href: `/docs/${language()}/` }, icon('book'), h('span', {}, t('nav_docs'))));
  const themes = h('button', { class: 'quiet icon', 'aria-label': t('theme'), title: t('theme'), onclick: () => {
    setTheme(isDark() ? 'light' : 'dark');
    fill(themes, icon(isDark() ? 'sun' : 'moon'));
  } }, icon(isDark() ? 'sun' : 'moon'));
  const other = language() === 'zh' ? 'en' : 'zh';
  fill(
    document.body,
    h('a', { class: 'skip', href: '#main', onclick: (event) => { event.preventDefault(); parts.main.focus(); } }, t('skip')),
    h('div', { class: 'shell' },
      h('nav', { class: 'side', 'aria-label': t('nav') },
        h('div', { class: 'brand' }, h('img', { src: '/_stage/console/icon.svg', alt: '' }), 'badge', parts.stage),
        h('ul', { class: 'nav' }, links, docs),
        h('div', { class: 'side-foot' },
          h('div', { class: 'row' }, parts.dot, parts.connection),
          h('div', { class: 'keys' }, h('kbd', {}, '1'), '–', h('kbd', {}, `${VIEWS.length}`), t('keys')))),
      fill(parts.top,
        h('header', { class: 'top' },
          h('a', { class: 'now', href: '#control', title: t('now') }, parts.time, parts.zone),
          h('div', { class: 'tools' },
            h('button', { class: 'quiet', lang: other === 'zh' ? 'zh-CN' : 'en', onclick: () => { setLanguage(other); build(); } },
              other === 'zh' ? '中文' : 'English'),
            themes)),
        parts.banners),
      parts.main),
  );
  bar.disconnect();
  bar.observe(parts.top);
  show();
  refresh(new Set(['stage', 'connection', 'faults', 'clock', 'second', 'messages', 'deadLetters']));
}

function show() {
  const [id, ...rest] = location.hash.slice(1).split('/');
  const view = VIEWS.find((one) => one.id === id) ?? VIEWS[0];
  for (const [name, { link }] of parts.links) {
    if (name === view.id) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  scrollTo(0, 0);
  document.title = `${t(`nav_${view.id}`)} · badge`;
  current = view.open(decodeURIComponent(rest.join('/')));
  fill(parts.main, current.node);
  current.update(null);
}

/** Updates what has changed; a view gets the names of the changes, or null for everything. */
function refresh(names) {
  if (names.has('second') || names.has('clock')) {
    write(parts.time, dateTime(now()));
    const ahead = emulator.clock.offset_ms;
    write(parts.zone, `${emulator.clock.zone}${ahead ? ` · ${t('ahead', { span: span(ahead) })}` : ''}`);
  }
  if (names.has('stage')) write(parts.stage, emulator.about.name);
  if (names.has('connection') || names.has('faults')) banners();
  if (names.has('messages')) count('inbox', emulator.messages.length);
  if (names.has('deadLetters')) count('jobs', emulator.deadLetters.count, 'bad');
  current.update(names);
}

function count(id, number, kind = '') {
  const { count } = parts.links.get(id);
  count.className = `count ${number ? kind : ''}`;
  write(count, number ? `${number}` : '');
}

function banners() {
  parts.dot.className = `dot ${emulator.isConnected ? '' : 'off'}`;
  write(parts.connection, t(emulator.isConnected ? 'connected' : 'connecting'));
  const shown = [];
  if (!emulator.isConnected && emulator.about.name) shown.push('gone');
  if (Object.keys(emulator.faults).length) shown.push('faults');
  keyed(parts.banners, shown, (name) => name, (name) => {
    const what = h('span', { class: 'what' });
    if (name === 'gone') {
      return { node: h('div', { class: 'banner off' }, icon('warning'), what), update: () => write(what, t('gone')) };
    }
    const clear = h('button', { onclick: () => act(clear, () => control('PUT', 'faults', {})) }, t('faults_clear'));
    const node = h('div', { class: 'banner' }, icon('warning'), what, clear);
    return { node, update: () => write(what, t('faults_on', { faults: faultWords(emulator.faults).join(', ') })) };
  });
}

document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest('input, select, textarea, dialog');
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const view = VIEWS[Number(event.key) - 1];
  if (view) location.hash = view.id;
});
addEventListener('hashchange', show);

build();
listen(refresh);
connect();
