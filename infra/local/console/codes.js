// Which codes of the inbox the service still accepts. The emulator compares each with the cache; a code that is not
// confirmed is not offered.

import { control } from './control-api.js';
import { change, emulator, now } from './live.js';

/** Between two requests. */
const PAUSE_MS = 300;
/** A code can also change without an invocation, for example by `redis-cli`. */
const STALE_MS = 3000;
/** A code that expires sooner is not offered: a request takes time. */
const MARGIN_MS = 1000;

/** By the id of a message: its state and when it expires. */
let known = new Map();
let askedAt = 0;
let isAsking = false;
let isWaiting = false;

/** The state of a message's code, and how long it is still valid. */
export function codeOf(message) {
  const found = known.get(message.id);
  if (!found) return { state: 'unknown', left: 0 };
  const left = found.expires - now();
  if (found.state === 'live' && left < MARGIN_MS) return { state: 'expired', left: 0 };
  return { state: found.state, left };
}

/** Whether the service would accept the message's code. */
export function isLive(message) {
  return Boolean(message.code) && codeOf(message).state === 'live';
}

/** The newest code that the service accepts for a phone in E.164. */
export function liveCode(phone) {
  return phone ? emulator.messages.find((message) => message.phone === phone && isLive(message))?.code : undefined;
}

/** For a view that shows codes, with what has changed. */
export function followCodes(names) {
  const isOld = performance.now() - askedAt > STALE_MS;
  const isChanged = !names || ['stage', 'messages', 'rows', 'clock'].some((name) => names.has(name));
  if (isChanged || (isOld && names.has('second'))) refreshCodes();
}

/** Sends a request at once, or as soon as the pause is over; no later change is missed. */
export function refreshCodes() {
  if (isWaiting) return;
  isWaiting = true;
  const wait = isAsking ? PAUSE_MS : Math.max(0, askedAt + PAUSE_MS - performance.now());
  setTimeout(ask, wait);
}

async function ask() {
  if (isAsking) {
    setTimeout(ask, PAUSE_MS);
    return;
  }
  [isAsking, isWaiting, askedAt] = [true, false, performance.now()];
  try {
    const codes = emulator.messages.length ? await control('GET', 'codes') : [];
    known = new Map(codes.map(({ id, state, ends_in_ms: left }) => [id, { state, expires: now() + left }]));
  } catch {
    known = new Map();
  }
  isAsking = false;
  change('codes');
}
