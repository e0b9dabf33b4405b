// The page: the bars around the views, and which view is shown.

import { fill, h, icon, keyed, write } from './dom.js';
import { door, act } from './doors.js';
import { dateTime, span } from './format.js';
import { connect, listen, now, stage } from './live.js';
import { language, setLanguage, t } from './text.js';
import { faultWords } from './view-faults.js';
import * as control from './view-control.js';
import * as data from './view-data.js';
import * as functions from './view-functions.js';
import * as inbox from './view-inbox.js';
import * as jobs from './view-jobs.js';
import * as settings from './view-settings.js';
import * as tryIt from './view-try.js';

const VIEWS = [tryIt, inbox, functions, jobs, control, data, settings];
const KEPT_THEME = 'badge.theme';

let current = null;
let parts = {};

const params = new URLSearchParams(location.search);
if (params.has('lang')) setLanguage(params.get('lang') === 'zh' ? 'zh' : 'en');
setTheme(localStorage.getItem(KEPT_THEME) ?? 'auto');

function setTheme(name) {
  localStorage.setItem(KEPT_THEME, name);
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** Makes the page anew, as at the start and in another language. */
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
  };
  const links = VIEWS.map((view, index) => {
    const count = h('span', { class: 'count' });
    const link = h('a', { href: `#${view.id}`, title: `${index + 1}` }, icon(view.picture), h('span', {}, t(`nav_${view.id}`)), count);
    parts.links.set(view.id, { link, count });
    return h('li', {}, link);
  });
  const themes = h('button', { class: 'quiet icon', 'aria-label': t('theme'), title: t('theme'), onclick: () => {
    setTheme(isDark() ? 'light' : 'dark');
    fill(themes, icon(isDark() ? 'sun' : 'moon'));
  } }, icon(isDark() ? 'sun' : 'moon'));
  const other = language() === 'zh' ? 'en' : 'zh';
  fill(
    document.body,
    h('a', { class: 'skip', href: '#main', onclick: (event) => { event.preventDefault(); parts.main.focus(); } }, t('skip')),
    h('div', { class: 'shell' },
      h('div', { class: 'side' },
        h('div', { class: 'brand' }, h('img', { src: '/_stage/console/icon.svg', alt: '' }), 'badge', parts.stage),
        h('nav', { class: 'nav', 'aria-label': t('nav') }, h('ul', {}, links)),
        h('div', { class: 'side-foot' },
          h('div', { class: 'row' }, parts.dot, parts.connection),
          h('div', { class: 'keys' }, h('kbd', {}, '1'), '–', h('kbd', {}, `${VIEWS.length}`), t('keys')))),
      h('div', { class: 'top-group' },
        h('header', { class: 'top' },
          h('a', { class: 'now', href: '#control', title: t('now') }, parts.time, parts.zone),
          h('div', { class: 'tools' },
            h('button', { class: 'quiet', lang: other === 'zh' ? 'zh-CN' : 'en', onclick: () => { setLanguage(other); build(); } },
              other === 'zh' ? '中文' : 'English'),
            themes)),
        parts.banners),
      parts.main),
  );
  show();
  refresh(new Set(['stage', 'connection', 'faults', 'clock', 'second', 'messages', 'letters']));
}

function show() {
  const [id, what] = location.hash.slice(1).split('/');
  const view = VIEWS.find((one) => one.id === id) ?? VIEWS[0];
  for (const [name, { link }] of parts.links) {
    if (name === view.id) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  // Where links stand in one line, the current one may be out of sight.
  parts.links.get(view.id).link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  scrollTo(0, 0);
  document.title = `${t(`nav_${view.id}`)} · badge`;
  current = view.open(what);
  fill(parts.main, current.node);
  current.update(null);
}

/** Brings up to date what has changed; a view is told the names, or nothing for everything. */
function refresh(names) {
  if (names.has('second') || names.has('clock')) {
    write(parts.time, dateTime(now()));
    const ahead = stage.clock.offset_ms;
    write(parts.zone, `${stage.clock.zone}${ahead ? ` · ${t('ahead', { span: span(ahead) })}` : ''}`);
  }
  if (names.has('stage')) write(parts.stage, stage.about.name);
  if (names.has('connection') || names.has('faults')) banners();
  if (names.has('messages')) count('inbox', stage.messages.length);
  if (names.has('letters')) count('jobs', stage.letters.count, 'bad');
  current.update(names);
}

function count(id, number, kind = '') {
  const { count } = parts.links.get(id);
  count.className = `count ${number ? kind : ''}`;
  write(count, number ? `${number}` : '');
}

function banners() {
  parts.dot.className = `dot ${stage.isConnected ? '' : 'off'}`;
  write(parts.connection, t(stage.isConnected ? 'connected' : 'connecting'));
  const shown = [];
  if (!stage.isConnected && stage.about.name) shown.push('gone');
  if (Object.keys(stage.faults).length) shown.push('faults');
  keyed(parts.banners, shown, (name) => name, (name) => {
    const what = h('span', { class: 'what' });
    if (name === 'gone') {
      return { node: h('div', { class: 'banner off' }, icon('letter'), what), update: () => write(what, t('gone')) };
    }
    const clear = h('button', { onclick: () => act(clear, () => door('PUT', 'faults', {})) }, t('faults_clear'));
    const node = h('div', { class: 'banner' }, icon('letter'), what, clear);
    return { node, update: () => write(what, t('faults_on', { faults: faultWords(stage.faults).join(', ') })) };
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
