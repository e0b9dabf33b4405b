// The settings of the stages, loaded once: they do not change while the emulator runs.

import { control } from './control-api.js';
import { change, emulator } from './live.js';

let known = null;
let asked = null;

/** Settings of all stages, the running stage, and the environment of the functions; null on an error. */
export function load() {
  asked ??= control('GET', 'settings').then((document) => {
    known = document;
    change('messages', 'settings');
    return document;
  }, () => {
    asked = null;
    return null;
  });
  return asked;
}

/** The settings file of the running stage, or null until it is known. */
export function settings() {
  if (!known) load();
  return known?.stages?.[emulator.about.name] ?? null;
}
