// Buttons that do something, and messages about the result.

import { moveClock } from './control-api.js';
import { h } from './dom.js';
import { dateTime } from './format.js';
import { t } from './text.js';

const TOAST_MS = 3000;
const ERROR_TOAST_MS = 8000;

/** Runs `work` while `button` is disabled; shows an error as a toast. */
export async function act(button, work) {
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast(error.message, 'bad');
    return undefined;
  } finally {
    button.disabled = false;
  }
}

/** A button that moves the clock by what `change()` returns. */
export function clockButton(text, change) {
  const button = h('button', { type: 'button', onclick: () => act(button, async () => {
    const { now, moving_to: end } = await moveClock(change());
    toast(end ? t('clock_moving', { time: dateTime(end) }) : t('clock_moved', { time: dateTime(now) }));
  }) }, text);
  return button;
}

/** Shows a message for a few seconds. */
export function toast(text, kind = '') {
  let place = document.querySelector('.toasts');
  if (!place) document.body.append((place = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' })));
  const node = h('div', { class: `toast ${kind}` }, text);
  place.append(node);
  setTimeout(() => node.remove(), kind === 'bad' ? ERROR_TOAST_MS : TOAST_MS);
}

/** Copies a text to the clipboard; `done` is the message. */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch (error) {
    toast(error.message, 'bad');
  }
}
