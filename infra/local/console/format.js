// Times, spans and amounts as people read them.

import { language, t } from './text.js';
import { stage } from './live.js';

const made = new Map();

/** Formatters are dear to make. */
function formatter(kind, options) {
  const key = `${kind} ${language()} ${JSON.stringify(options)}`;
  if (!made.has(key)) {
    const locale = language() === 'zh' ? 'zh-CN' : 'en-GB';
    made.set(key, kind === 'time' ? new Intl.DateTimeFormat(locale, options) : new Intl.NumberFormat(locale, options));
  }
  return made.get(key);
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const DAY = { year: 'numeric', month: '2-digit', day: '2-digit' };

/** `09:12:41` in the stage's zone. */
export function clockTime(time) {
  return formatter('time', { ...CLOCK, timeZone: stage.clock.zone }).format(new Date(time));
}

/** `2026-11-25 09:12:41` in the stage's zone, whatever the language. */
export function dateTime(time) {
  const parts = formatter('time', { ...DAY, ...CLOCK, timeZone: stage.clock.zone }).formatToParts(new Date(time));
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}`;
}

/** A span of milliseconds as its two largest units: `4 min 12 s`, `3 d 2 h`. */
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

/** Milliseconds of a run: `0.91 ms`, `12.4 ms`, `1.20 s`. */
export function millis(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

export function count(number) {
  return formatter('number', {}).format(number);
}

/** An amount of money that may be very small: three digits that count. */
export function money(amount, currency = '') {
  if (!amount) return `${currency}0`;
  const places = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(Math.abs(amount)))));
  return `${currency}${amount.toFixed(places).replace(/(\.\d\d+?)0+$/, '$1')}`;
}

/** `login` of `badge-local-login`: what is before it is the same for all. */
export function short(name) {
  const prefix = `badge-${stage.about.name}-`;
  const known = stage.functions.find((one) => one.name === name);
  return known?.binary ?? (name.startsWith(prefix) ? name.slice(prefix.length) : name);
}
