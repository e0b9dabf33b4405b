// Formats times, durations and amounts.

import { language, t } from './text.js';
import { emulator } from './live.js';

const cache = new Map();

/** Formatters are expensive to create. */
function formatter(kind, options) {
  const key = `${kind} ${language()} ${JSON.stringify(options)}`;
  if (!cache.has(key)) {
    const locale = language() === 'zh' ? 'zh-CN' : 'en-GB';
    cache.set(key, kind === 'time' ? new Intl.DateTimeFormat(locale, options) : new Intl.NumberFormat(locale, options));
  }
  return cache.get(key);
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const DAY = { year: 'numeric', month: '2-digit', day: '2-digit' };

/** `09:12:41` in the emulator's time zone. */
export function clockTime(time) {
  return formatter('time', { ...CLOCK, timeZone: emulator.clock.zone }).format(new Date(time));
}

/** `2026-11-25 09:12:41` in the emulator's time zone, in both languages. */
export function dateTime(time) {
  const parts = formatter('time', { ...DAY, ...CLOCK, timeZone: emulator.clock.zone }).formatToParts(new Date(time));
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
}

/** Milliseconds as their two largest units: `4 min 12 s`, `3 d 2 h`. */
export function span(ms) {
  const total = Math.max(0, Math.round(ms / 1000));
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const at = units.findIndex(([, size]) => total >= size);
  if (at < 0) return `0 ${t('unit_s')}`;
  const [unit, size] = units[at];
  const whole = `${Math.floor(total / size)} ${t(`unit_${unit}`)}`;
  const next = units[at + 1];
  const rest = next ? Math.floor((total % size) / next[1]) : 0;
  return rest ? `${whole} ${rest} ${t(`unit_${next[0]}`)}` : whole;
}

/** The duration of an invocation: `0.91 ms`, `12.4 ms`, `1.20 s`. */
export function millis(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

export function count(number) {
  return formatter('number', {}).format(number);
}

/** An amount of money, which may be very small, with three significant digits. */
export function money(amount, currency = '') {
  if (!amount) return `${currency}0`;
  const places = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(Math.abs(amount)))));
  return `${currency}${amount.toFixed(places).replace(/(\.\d\d+?)0+$/, '$1')}`;
}

/** A stored time, seconds or milliseconds since 1970, in milliseconds. */
export function storedMs(time) {
  return time < 1e11 ? time * 1000 : time;
}

/** A stored time as text. */
export function storedTime(time) {
  return typeof time === 'number' ? dateTime(storedMs(time)) : '–';
}

/** `login` of `badge-local-login`. */
export function short(name) {
  const prefix = `badge-${emulator.about.name}-`;
  const known = emulator.functions.find((one) => one.name === name);
  return known?.binary ?? (name.startsWith(prefix) ? name.slice(prefix.length) : name);
}
