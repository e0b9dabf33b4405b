// Schedules and dead letters.

import { h, keyed, write } from './dom.js';
import { control } from './control-api.js';
import { act, toast } from './feedback.js';
import { dateTime, short, span } from './format.js';
import { emulator, now } from './live.js';
import { t } from './text.js';

export const id = 'jobs';
export const picture = 'bolt';

export function open() {
  const schedules = h('tbody');
  const deadLetters = h('ul');
  const none = h('div', { class: 'empty' }, h('strong', {}, t('dead_empty')), t('dead_empty_hint'));
  const more = h('p', { class: 'hint pad' });
  const all = h('button', { onclick: () => redrive(all) }, t('redrive_all'));
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_jobs')), h('p', { class: 'lead' }, t('jobs_lead'))),
    h('div', { class: 'panel' },
      h('h2', {}, t('schedules')),
      h('table', { class: 'cards' },
        h('thead', {}, h('tr', {}, ['schedule', 'expression', 'next', 'last_run', 'act'].map((name) => h('th', { scope: 'col' }, t(`head_${name}`))))),
        schedules)),
    h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('dead_letters')), h('div', { class: 'end' }, all)), deadLetters, none, more));
  return {
    node,
    update(names) {
      if (!names || names.has('schedules') || names.has('second') || names.has('clock')) {
        keyed(schedules, emulator.schedules, (one) => one.name, scheduleRow);
      }
      if (!names || names.has('deadLetters')) {
        keyed(deadLetters, emulator.deadLetters.newest, (one) => one.id, deadLetterCard);
        const { count, newest } = emulator.deadLetters;
        none.hidden = count > 0;
        all.hidden = count < 2;
        more.hidden = count <= newest.length;
        write(more, t('shown_of', { shown: newest.length, all: count }));
      }
    },
  };
}

function scheduleRow(one) {
  const next = h('span');
  const left = h('span', { class: 'soft nowrap' });
  const last = h('span', { class: 'row' });
  const when = h('span', { class: 'soft' });
  const outcome = h('span', { class: 'tag' });
  const run = h('button', { onclick: () => act(run, async () => {
    const fired = await control('POST', `schedules/${encodeURIComponent(one.name)}`);
    toast(t('ran', { name: short(one.function), outcome: t(`outcome_${fired.outcome}`) }), fired.outcome === 'ok' ? '' : 'bad');
  }) }, t('run_now'));
  last.append(when, outcome);
  return {
    node: h('tr', {},
      h('td', { class: 'first' }, h('span', { class: 'mono' }, short(one.function))),
      h('td', { 'data-label': t('head_expression') }, h('span', {}, h('span', { class: 'mono' }, one.expression), h('span', { class: 'soft' }, ` ${one.timezone}`))),
      h('td', { 'data-label': t('head_next') }, h('span', {}, next, ' ', left)),
      h('td', { 'data-label': t('head_last_run') }, last),
      h('td', {}, run)),
    update(one) {
      const isDue = one.enabled && Boolean(one.next);
      write(next, isDue ? dateTime(one.next) : t(one.enabled ? 'never' : 'by_hand'));
      write(left, isDue ? t('in_span', { span: span(Date.parse(one.next) - now()) }) : '');
      write(when, one.last ? dateTime(one.last) : t('not_yet'));
      outcome.hidden = !one.last;
      outcome.className = `tag ${one.last_outcome === 'ok' ? 'good' : one.last_outcome ? 'bad' : ''}`;
      write(outcome, one.last_outcome ? t(`outcome_${one.last_outcome}`) : t('running'));
    },
  };
}

async function redrive(button, id) {
  await act(button, async () => {
    const results = await control('POST', 'dead_letters/redrive', id ? { id } : {});
    const bad = results.filter(({ outcome }) => outcome !== 'ok').length;
    toast(t(bad ? 'redriven_bad' : 'redriven', { all: results.length, bad }), bad ? 'bad' : '');
  });
}

function deadLetterCard(deadLetter) {
  const again = h('button', { onclick: () => redrive(again, deadLetter.id) }, t('redrive'));
  let event = deadLetter.event;
  try {
    event = JSON.stringify(JSON.parse(deadLetter.event), null, 2);
  } catch {
    // Not JSON: shown unchanged.
  }
  return {
    node: h('li', { class: 'dead-letter' },
      h('div', { class: 'row' },
        h('strong', { class: 'mono' }, short(deadLetter.function)),
        h('span', { class: 'tag bad' }, t(`outcome_${deadLetter.outcome}`)),
        h('span', { class: 'soft' }, `${dateTime(deadLetter.time)} · ${t('attempts', { count: deadLetter.attempts })} · ${t(`condition_${deadLetter.condition}`)}`),
        h('span', { class: 'end' }, again)),
      h('p', { class: 'reason' }, deadLetter.reason),
      h('details', {}, h('summary', {}, t('dead_event')),
        h('dl', { class: 'facts' },
          h('dt', {}, t('dead_queue')), h('dd', { class: 'mono' }, deadLetter.queue ?? t('dead_no_queue')),
          h('dt', {}, t('fact_trigger')), h('dd', { class: 'mono' }, deadLetter.trigger),
          h('dt', {}, t('fact_request')), h('dd', { class: 'mono' }, deadLetter.request_id)),
        h('pre', { class: 'code-box' }, event))),
  };
}
