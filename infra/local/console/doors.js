// The stage's doors, and what people are told of what they did there.

import { h } from './dom.js';
import { dateTime } from './format.js';
import { now } from './live.js';
import { t } from './text.js';

/** Asks a door; gives its JSON, or throws an Error with the door's own words. */
export async function door(method, name, body) {
  const answer = await fetch(`/_stage/${name}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.message ?? `${answer.status}`);
  return document;
}

/** Does something that a button asked for: the button rests meanwhile, and a failure is told. */
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

/** A button that moves the clock as `wish()` says. */
export function move(text, wish) {
  const button = h('button', { onclick: () => act(button, async () => {
    await door('POST', 'clock', wish());
    toast(t('clock_moved', { time: dateTime(now()) }));
  }) }, text);
  return button;
}

/** Tells something for a few seconds. */
export function toast(text, kind = '') {
  let place = document.querySelector('.toasts');
  if (!place) document.body.append((place = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' })));
  const node = h('div', { class: `toast ${kind}` }, text);
  place.append(node);
  setTimeout(() => node.remove(), kind === 'bad' ? 7000 : 2500);
}

/** Puts a text where it can be pasted from. */
export async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    toast(told);
  } catch (error) {
    toast(error.message, 'bad');
  }
}
