// Texts of the console in the reader's language. A test checks that both tables have the same keys.

import { en } from './text.en.js';
import { zh } from './text.zh.js';

const TABLES = { en, zh };
const LANGUAGE_KEY = 'badge.language';

let chosen = stored() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

function stored() {
  const name = localStorage.getItem(LANGUAGE_KEY);
  return name in TABLES ? name : null;
}

export function language() {
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  localStorage.setItem(LANGUAGE_KEY, name);
}

/** The text of a key, with `{name}` replaced by `values.name`. */
export function t(key, values) {
  const text = TABLES[chosen][key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => `${values[name]}`) : text;
}

/** The same, or `otherwise` if the key does not exist. */
export function tOr(key, otherwise) {
  return TABLES[chosen][key] ?? otherwise;
}
