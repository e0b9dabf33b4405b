// Calls of the emulator's control API.

import { update } from './live.js';

/** Calls the control API; returns its JSON, or throws an Error with its message. */
export async function control(method, path, body) {
  const response = await fetch(`/_stage/${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(document.message ?? `HTTP ${response.status}`);
  return document;
}

/** Moves the clock by `{ advance_s }` or to `{ to }`; returns the new clock, with `moving_to` if a long move continues. */
export async function moveClock(change) {
  const clock = await control('POST', 'clock', change);
  // The event with the new time comes later than this reply.
  update({ clock });
  return clock;
}
