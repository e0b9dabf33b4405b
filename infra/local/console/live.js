// The state of the emulator as `GET /_stage/events` reports it. Its size is bounded however long the page stays open.

const MAX_ROWS = 10000;
const MAX_MESSAGES = 500;
const MAX_RECENT = 24;

export const emulator = {
  isConnected: false,
  about: { name: '', url: '' },
  clock: { zone: 'UTC', offset_ms: 0, midnight: null },
  faults: {},
  functions: [],
  schedules: [],
  deadLetters: { count: 0, newest: [] },
  /** Newest first. */
  messages: [],
  /** Invocations, oldest first. */
  rows: [],
  /** The last invocations of each function, oldest first. */
  recent: new Map(),
  /** Rows that were removed from `rows`, so that a reader can tell which ones are new. */
  dropped: 0,
  /** Invocations that the emulator did not report because there were too many at once. */
  leftOut: 0,
};

const listeners = new Set();
let changed = new Set();
let isScheduled = false;
let skew = 0;
let source = null;

/** Calls `listener` with the names of what has changed, at most once a frame. */
export function listen(listener) {
  listeners.add(listener);
}

/** The emulator's time, in milliseconds since 1970. */
export function now() {
  return Date.now() + skew;
}

export function change(...names) {
  for (const name of names) changed.add(name);
  if (isScheduled) return;
  isScheduled = true;
  const notify = () => {
    isScheduled = false;
    const names = changed;
    changed = new Set();
    for (const listener of listeners) listener(names);
  };
  // A hidden page gets no frames.
  if (document.hidden) setTimeout(notify, 50);
  else requestAnimationFrame(notify);
}

/** Stays connected while the page is visible: a hidden page costs the emulator nothing. */
export function connect() {
  const follow = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      open();
    }
  };
  document.addEventListener('visibilitychange', follow);
  follow();
  setInterval(() => change('second'), 1000);
}

function open() {
  source = new EventSource('/_stage/events');
  source.onopen = () => {
    emulator.isConnected = true;
    change('connection');
  };
  source.onerror = () => {
    emulator.isConnected = false;
    change('connection');
    // The browser does not try again after the port was closed.
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(() => !source && !document.hidden && open(), 1000);
    }
  };
  source.onmessage = (event) => update(JSON.parse(event.data));
}

/** Applies an event. One with `stage` holds the whole state: the first of a connection, and the first after a reset. */
export function update(event) {
  if (event.stage) {
    emulator.about = event.stage;
    emulator.dropped += emulator.rows.length;
    emulator.rows = [];
    emulator.recent = new Map();
    emulator.leftOut = 0;
    emulator.messages = [];
    change('stage', 'messages', 'rows');
  }
  if (event.clock) {
    emulator.clock = event.clock;
    skew = Date.parse(event.clock.now) - Date.now();
    change('clock');
  }
  for (const name of ['faults', 'functions', 'schedules']) {
    if (event[name]) {
      emulator[name] = event[name];
      change(name);
    }
  }
  if (event.dead_letters) {
    emulator.deadLetters = event.dead_letters;
    change('deadLetters');
  }
  if (event.messages) addMessages(event);
  if (event.invocations) addRows(event);
}

function addMessages({ stage, messages }) {
  // Animations of many messages at once would slow the emulator down, which runs on the same machine.
  for (const message of messages) message.isFresh = !stage && messages.length <= 3;
  emulator.messages = [...messages.reverse(), ...emulator.messages].slice(0, MAX_MESSAGES);
  change('messages');
}

function addRows({ invocations, left_out: leftOut = 0 }) {
  emulator.rows.push(...invocations);
  emulator.leftOut += leftOut;
  const excess = emulator.rows.length - MAX_ROWS;
  if (excess > 0) {
    // `splice` would move every remaining row.
    emulator.rows = emulator.rows.slice(excess);
    emulator.dropped += excess;
  }
  for (const row of invocations) {
    const recent = emulator.recent.get(row.function) ?? [];
    recent.push(row);
    if (recent.length > MAX_RECENT) recent.shift();
    emulator.recent.set(row.function, recent);
  }
  change('rows');
}
