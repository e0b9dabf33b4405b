// What the console says, in the language of whoever reads it. Each language has one table; a test holds that both have
// the same keys.

import { en } from './text.en.js';
import { zh } from './text.zh.js';

const TABLES = { en, zh };
const KEPT = 'badge.language';

let chosen = kept() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

function kept() {
  const name = localStorage.getItem(KEPT);
  return name in TABLES ? name : null;
}

export function language() {
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  localStorage.setItem(KEPT, name);
}

/** The text of a key, with `{name}` replaced by what `values` has for it. */
export function t(key, values) {
  const text = TABLES[chosen][key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => `${values[name]}`) : text;
}

/** The same, or `otherwise` if there is no such key. */
export function tOr(key, otherwise) {
  return TABLES[chosen][key] ?? otherwise;
}
