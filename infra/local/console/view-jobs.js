// Schedules and what has failed in every attempt: both are about work that nobody waits for.

import { h, keyed, write } from './dom.js';
import { act, door, toast } from './doors.js';
import { dateTime, short, span } from './format.js';
import { now, stage } from './live.js';
import { t } from './text.js';

export const id = 'jobs';
export const picture = 'bolt';

export function open() {
  const schedules = h('tbody');
  const letters = h('ul', { class: 'letters' });
  const none = h('div', { class: 'empty' }, h('strong', {}, t('letters_empty')), t('letters_empty_hint'));
  const more = h('p', { class: 'hint pad' });
  const all = h('button', { onclick: () => redrive(all) }, t('redrive_all'));
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_jobs')), h('p', { class: 'lead' }, t('jobs_lead'))),
    h('div', { class: 'panel' },
      h('h2', {}, t('schedules')),
      h('table', { class: 'cards' },
        h('thead', {}, h('tr', {}, ['schedule', 'expression', 'next', 'last_run', 'act'].map((name) => h('th', { scope: 'col' }, t(`head_${name}`))))),
        schedules)),
    h('div', { class: 'panel' }, h('header', {}, h('h2', {}, t('letters')), h('div', { class: 'end' }, all)), letters, none, more));
  return {
    node,
    update(names) {
      if (!names || names.has('schedules') || names.has('second') || names.has('clock')) {
        keyed(schedules, stage.schedules, (one) => one.name, scheduleRow);
      }
      if (!names || names.has('letters')) {
        keyed(letters, stage.letters.newest, (letter) => letter.id, letterCard);
        const { count, newest } = stage.letters;
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
  const last = h('span', { class: 'row' });
  const when = h('span', { class: 'soft' });
  const outcome = h('span', { class: 'tag' });
  const run = h('button', { onclick: () => act(run, async () => {
    const fired = await door('POST', `schedules/${encodeURIComponent(one.name)}`);
    toast(t('ran', { name: short(one.function), outcome: t(`outcome_${fired.outcome}`) }), fired.outcome === 'ok' ? '' : 'bad');
  }) }, t('run_now'));
  last.append(when, outcome);
  return {
    node: h('tr', {},
      h('td', { class: 'first' }, h('span', { class: 'mono' }, short(one.function))),
      h('td', { 'data-label': t('head_expression') }, h('span', {}, h('span', { class: 'mono' }, one.expression), h('span', { class: 'soft' }, ` ${one.timezone}`))),
      h('td', { 'data-label': t('head_next') }, next),
      h('td', { 'data-label': t('head_last_run') }, last),
      h('td', {}, run)),
    update(one) {
      const left = one.next && Date.parse(one.next) - now();
      write(next, one.enabled ? (one.next ? `${dateTime(one.next)} · ${t('in_span', { span: span(left) })}` : t('never')) : t('by_hand'));
      write(when, one.last ? dateTime(one.last) : t('not_yet'));
      outcome.hidden = !one.last;
      outcome.className = `tag ${one.last_outcome === 'ok' ? 'good' : one.last_outcome ? 'bad' : ''}`;
      write(outcome, one.last_outcome ? t(`outcome_${one.last_outcome}`) : t('running'));
    },
  };
}

async function redrive(button, letterId) {
  await act(button, async () => {
    const ended = await door('POST', 'dead_letters/redrive', letterId ? { id: letterId } : {});
    const bad = ended.filter(({ outcome }) => outcome !== 'ok').length;
    toast(t(bad ? 'redriven_bad' : 'redriven', { all: ended.length, bad }), bad ? 'bad' : '');
  });
}

function letterCard(letter) {
  const again = h('button', { onclick: () => redrive(again, letter.id) }, t('redrive'));
  let event = letter.event;
  try {
    event = JSON.stringify(JSON.parse(letter.event), null, 2);
  } catch {
    // As it was sent.
  }
  return {
    node: h('li', { class: 'letter' },
      h('div', { class: 'row' },
        h('strong', { class: 'mono' }, short(letter.function)),
        h('span', { class: 'tag bad' }, t(`outcome_${letter.outcome}`)),
        h('span', { class: 'soft' }, `${dateTime(letter.time)} · ${t('attempts', { count: letter.attempts })} · ${t(`condition_${letter.condition}`)}`),
        h('span', { class: 'end' }, again)),
      h('p', { class: 'reason' }, letter.reason),
      h('details', {}, h('summary', {}, t('letter_event')),
        h('dl', { class: 'facts' },
          h('dt', {}, t('letter_queue')), h('dd', { class: 'mono' }, letter.queue ?? t('letter_nowhere')),
          h('dt', {}, t('fact_trigger')), h('dd', { class: 'mono' }, letter.trigger),
          h('dt', {}, t('fact_request')), h('dd', { class: 'mono' }, letter.request_id)),
        h('pre', { class: 'code-box' }, event))),
  };
}
