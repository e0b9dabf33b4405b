// Switches for faults. The emulator has one plan for all parts, so each change sends the whole plan.

import { h, write } from './dom.js';
import { control } from './control-api.js';
import { toast } from './feedback.js';
import { emulator } from './live.js';
import { t } from './text.js';

/** Modes of each part, as `PUT /_stage/faults` accepts them. */
const MODES = {
  redis: ['refuse', 'hang', 'slow', 'throttle'],
  dynamodb: ['refuse', 'hang', 'slow', 'throttle', 'conflict'],
  sms: ['refuse', 'hang', 'slow', 'throttle'],
  invoke: ['duplicate', 'kill_before_reply', 'refuse'],
};

/** `slow` needs a duration; `hang` may have one. */
const TIMED = new Set(['slow', 'hang']);
const SLOW_MS = 1000;

/** The faults of a plan as text. */
export function faultWords(plan) {
  return Object.entries(plan).map(([part, fault]) => {
    if (part === 'stream') return t('faults_stream', { twice: percent(fault.duplicate_rate), lost: percent(fault.lose_rate) });
    const rate = fault.rate < 1 ? ` ${Math.round(fault.rate * 100)} %` : '';
    const ms = fault.ms === undefined ? '' : ` ${fault.ms} ms`;
    return `${t(`part_${part}`)}: ${t(`mode_${part === 'invoke' ? 'invoke_' : ''}${fault.mode}`)}${ms}${rate}`;
  });
}

function percent(rate) {
  return `${Math.round(rate * 100)} %`;
}

export function faults() {
  const rows = Object.keys(MODES).map(faultRow);
  return {
    node: h('div', { class: 'panel' },
      h('h2', {}, t('faults')),
      h('div', { class: 'pad' }, h('p', { class: 'hint' }, t('faults_hint')), h('ul', { class: 'faults' }, rows.map(({ node }) => node)))),
    update: () => rows.forEach((row) => row.update()),
  };
}

function faultRow(part) {
  const label = t(`part_${part}`);
  const toggle = h('input', { type: 'checkbox', role: 'switch', class: 'switch', 'aria-label': label, onchange: send });
  const mode = h('select', { 'aria-label': t('fault_mode', { part: label }), onchange: change }, MODES[part].map((name) =>
    h('option', { value: name }, t(`mode_${part === 'invoke' ? 'invoke_' : ''}${name}`))));
  const ms = h('input', { type: 'number', min: '0', step: '100', value: `${SLOW_MS}`, 'aria-label': t('fault_ms', { part: label }), onchange: change });
  const rate = h('input', { type: 'number', min: '1', max: '100', step: '1', value: '100', 'aria-label': t('fault_rate', { part: label }), onchange: change });
  const timed = h('span', { class: 'row nowrap' }, ms, h('span', { class: 'soft' }, 'ms'));
  const state = h('span', { class: 'tag warn' }, t('fault_on'));

  function faultOfForm() {
    const fault = { mode: mode.value, rate: Math.min(100, Math.max(0, Number(rate.value))) / 100 };
    const isTimed = TIMED.has(mode.value) && part !== 'invoke' && ms.value !== '';
    return isTimed ? { ...fault, ms: Number(ms.value) } : fault;
  }

  function change() {
    timed.hidden = !TIMED.has(mode.value) || part === 'invoke';
    if (mode.value === 'hang' && !toggle.checked) ms.value = '';
    if (mode.value === 'slow' && ms.value === '') ms.value = `${SLOW_MS}`;
    if (toggle.checked) send();
  }

  async function send() {
    const plan = { ...emulator.faults };
    if (toggle.checked) plan[part] = faultOfForm();
    else delete plan[part];
    try {
      emulator.faults = await control('PUT', 'faults', plan);
    } catch (error) {
      toast(error.message, 'bad');
    }
    update();
  }

  function update() {
    const fault = emulator.faults[part];
    toggle.checked = Boolean(fault);
    state.hidden = !fault;
    const isEdited = [mode, ms, rate].includes(document.activeElement);
    if (fault && !isEdited) {
      mode.value = fault.mode;
      ms.value = fault.ms ?? '';
      rate.value = `${Math.round(fault.rate * 100)}`;
    }
    timed.hidden = !TIMED.has(mode.value) || part === 'invoke';
  }

  const title = h('span', { class: 'fault-name' });
  write(title, label);
  return {
    update,
    node: h('li', { class: 'fault' },
      h('label', { class: 'row fault-switch' }, toggle, title, state),
      h('span', { class: 'row' }, mode, timed, h('span', { class: 'row nowrap' }, rate, h('span', { class: 'soft' }, '%')))),
  };
}
