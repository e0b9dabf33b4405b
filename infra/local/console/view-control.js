// Moves the emulator's clock and injects faults.

import { h, write } from './dom.js';
import { control } from './control-api.js';
import { act, clockButton, toast } from './feedback.js';
import { dateTime, span } from './format.js';
import { emulator, now } from './live.js';
import { t } from './text.js';
import { faults } from './view-faults.js';

export const id = 'control';
export const picture = 'clock';

export function open() {
  const time = h('strong', { class: 'big-time mono' });
  const note = h('span', { class: 'soft' });
  const fields = faults();
  const own = h('input', { type: 'number', min: '0', step: '1', value: '3600', 'aria-label': t('clock_seconds') });
  const back = h('button', { class: 'danger', onclick: () => askReset() }, t('clock_back'));
  const node = h('section', { class: 'view' },
    h('header', {}, h('h1', {}, t('nav_control')), h('p', { class: 'lead' }, t('control_lead'))),
    h('div', { class: 'columns' },
      h('div', { class: 'panel' },
        h('h2', {}, t('clock')),
        h('div', { class: 'pad' },
          h('div', {}, time, note),
          h('div', { class: 'row' },
            clockButton(t('clock_61s'), () => ({ advance_s: 61 })),
            clockButton(t('clock_10m'), () => ({ advance_s: 600 })),
            clockButton(t('clock_midnight'), () => ({ to: emulator.clock.midnight })),
            clockButton(t('clock_30d'), () => ({ advance_s: 30 * 86400 }))),
          h('div', { class: 'row' }, own, h('span', { class: 'soft' }, t('unit_s')), clockButton(t('clock_go'), () => ({ advance_s: Number(own.value) }))),
          h('p', { class: 'hint' }, t('clock_hint')),
          h('div', { class: 'row' }, back, h('span', { class: 'hint' }, t('clock_back_hint'))))),
      fields.node));
  return {
    node,
    update(names) {
      if (!names || names.has('second') || names.has('clock')) {
        write(time, dateTime(now()));
        const ahead = emulator.clock.offset_ms;
        write(note, ` ${emulator.clock.zone} · ${ahead ? t('ahead', { span: span(ahead) }) : t('real_time')}`);
      }
      if (!names || names.has('faults')) fields.update();
    },
  };
}

/** The clock cannot move back under stored data, so real time comes with a reset. */
function askReset() {
  const go = h('button', { class: 'main-act', onclick: () => act(go, async () => {
    await control('POST', 'reset');
    dialog.close();
    toast(t('reset_done'));
  }) }, t('reset_go'));
  const dialog = h('dialog', { 'aria-labelledby': 'reset-title', onclose: () => dialog.remove() },
    h('div', { class: 'pad' },
      h('h2', { id: 'reset-title' }, t('reset_title')),
      h('p', {}, t('reset_text')),
      h('div', { class: 'row' }, h('button', { onclick: () => dialog.close() }, t('cancel')), go)));
  document.body.append(dialog);
  dialog.showModal();
}
