// The settings of the stages, asked for once: they do not change while a stage runs.

import { door } from './doors.js';
import { change, stage } from './live.js';

let known = null;
let asked = null;

/** All that the door tells, once it has. */
export function load() {
  asked ??= door('GET', 'settings').then((document) => {
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
  return known?.stages?.[stage.about.name] ?? null;
}
