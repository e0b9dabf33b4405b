// One invocation: its timeline, its cost on AWS, and its log.

import { fill, h } from './dom.js';
import { control } from './control-api.js';
import { copy } from './feedback.js';
import { dateTime, millis, money, short } from './format.js';
import { emulator } from './live.js';
import { verdict } from './outcome.js';
import { PRICES, bill, logRecord } from './prices.js';
import { t, tOr } from './text.js';

/** Shows the attempts of a request in `place`; a later call wins. */
export async function detail(place, requestId, wanted) {
  place.dataset.wanted = wanted;
  try {
    const records = await control('GET', `invocations?request_id=${encodeURIComponent(requestId)}`);
    if (place.dataset.wanted !== `${wanted}`) return;
    if (records.length) fill(place, records.map(attempt));
    else fill(place, h('div', { class: 'empty' }, t('detail_gone')));
  } catch (error) {
    fill(place, h('div', { class: 'empty' }, error.message));
  }
}

function attempt(record) {
  const line = logRecord(record);
  const code = record.code ?? line?.code;
  const kind = verdict({ outcome: record.outcome, code });
  const memory = emulator.functions.find((one) => one.name === record.function)?.memory_mb ?? 128;
  return h('article', { class: 'attempt' },
    h('header', {},
      h('h2', { class: 'mono' }, short(record.function)),
      h('span', { class: `tag ${kind}` }, record.outcome === 'ok' ? `${code ?? 'ok'}` : t(`outcome_${record.outcome}`)),
      record.cold ? h('span', { class: 'tag cold' }, t('cold')) : null,
      record.attempt > 1 ? h('span', { class: 'tag warn' }, t('attempt', { number: record.attempt })) : null),
    h('div', { class: 'pad' },
      code ? h('p', { class: `why ${kind}` }, tOr(`code_${code}`, t('code_other', { code })), line?.error ? h('span', { class: 'mono' }, ` ${line.error}`) : null, code === 11005 ? [' ', h('a', { href: '#data' }, t('see_limits'))] : null) : null,
      facts(record, line),
      timeline(record, line),
      cost(record, memory),
      lines(record)));
}

function facts(record, line) {
  const rows = [
    ['fact_time', dateTime(record.began)],
    ['fact_trigger', record.trigger.replace('{stage}', emulator.about.name)],
    ['fact_request', h('button', { class: 'link mono', title: t('copy'), onclick: () => copy(record.request_id, t('copied', { what: t('fact_request') })) }, record.request_id)],
    ['fact_params', line?.params?.join(', ')],
    ['fact_phone', line?.phone],
  ];
  return h('dl', { class: 'facts' }, rows.filter(([, value]) => value).map(([name, value]) => [h('dt', {}, t(name)), h('dd', {}, value)]));
}

const BACKENDS = { redis: 'Redis', dynamodb: 'DynamoDB', http: 'HTTP' };

/** The time of the gateway, of init and of the function, and below it the calls that the log line lists. */
function timeline(record, line) {
  const init = record.init_ms ?? 0;
  const run = record.duration_ms;
  const front = record.front_ms === null ? 0 : Math.max(0, record.front_ms - init - run);
  const total = Math.max(init + run + front, 0.001);
  const bar = (name, note, from, length, kind) => {
    const fillBar = h('span', { class: `bar ${kind}` });
    fillBar.style.setProperty('--from', `${(100 * from) / total}%`);
    fillBar.style.setProperty('--length', `${Math.max(0.6, (100 * length) / total)}%`);
    return h('li', {}, h('span', { class: 'lane' }, name, note ? h('span', { class: 'soft' }, ` ${note}`) : null), h('span', { class: 'track' }, fillBar), h('span', { class: 'num' }, millis(length)));
  };
  const spent = line?.spent;
  const calls = spent && [
    [BACKENDS.redis, spent.redis, ''],
    [BACKENDS.dynamodb, spent.dynamodb, units(spent)],
    [BACKENDS.http, spent.http, ''],
  ].filter(([, number]) => number > 0);
  return h('section', {},
    h('h3', {}, t('timeline'), h('span', { class: 'soft' }, ` ${millis(record.front_ms ?? init + run)}`)),
    h('ul', { class: 'lanes' },
      record.front_ms === null ? null : bar(t('lane_front'), '', 0, front, 'front'),
      record.init_ms === null ? null : bar(t('lane_init'), '', front, init, 'init'),
      bar(t('lane_run'), '', front + init, run, 'run'),
      (line?.calls ?? []).map(([to, from, took, units]) => bar(BACKENDS[to] ?? to, charged(units, spent), front + init + from / 1000, took / 1000, `to-${to}`))),
    calls && h('div', { class: 'calls' },
      calls.length ? calls.map(([name, number, note]) => h('span', { class: 'call' }, h('strong', {}, name), ` × ${number}`, note ? h('span', { class: 'soft' }, ` ${note}`) : null)) : h('span', { class: 'soft' }, t('calls_none')),
      calls.length ? h('span', { class: 'soft' }, t('calls_steps', { steps: spent.steps })) : null));
}

/** The units of one call. The log line does not say whether a call read or wrote, only the sum of each. */
function charged(units, spent) {
  if (!units) return '';
  return `${units} ${spent.write_units === 0 ? 'RU' : spent.read_units === 0 ? 'WU' : 'RU/WU'}`;
}

function units(spent) {
  return [[spent.read_units, 'RU'], [spent.write_units, 'WU']].filter(([number]) => number > 0).map(([number, unit]) => `${number} ${unit}`).join(' ');
}

function cost(record, memory) {
  const rows = bill(record, memory);
  const total = rows.reduce((sum, row) => sum + row.cost, 0);
  return h('details', { class: 'cost', open: true },
    h('summary', {}, t('cost_title'), h('span', { class: 'soft' }, ` ${t('cost_million', { cost: money(total * 1e6, '$') })}`)),
    h('table', {}, h('tbody', {},
      rows.map((row) => h('tr', {}, h('th', { scope: 'row' }, t(row.what)), h('td', { class: 'soft' }, row.note), h('td', { class: 'num mono' }, money(row.cost * 1e6, '$')))))),
    h('p', { class: 'hint' }, t('cost_hint', { date: PRICES.date, region: PRICES.region })));
}

function lines(record) {
  return h('section', {},
    h('h3', {}, t('log_lines')),
    record.log.length ? record.log.map(logLine) : h('p', { class: 'soft' }, t('log_none')));
}

function logLine(text) {
  let fields;
  try {
    fields = text.startsWith('{') ? JSON.parse(text) : null;
  } catch {
    fields = null;
  }
  if (!fields) return h('pre', { class: 'code-box' }, text);
  const shown = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  return h('dl', { class: 'facts code-box mono log-line' }, Object.entries(fields).map(([name, value]) => [h('dt', {}, name), h('dd', { class: name === 'error' || value === 'ERROR' ? 'bad' : '' }, shown(value))]));
}
