// What the console knows of the stage: kept true by `GET /_stage/events`, and bounded however long it runs.

const MOST_ROWS = 10000;
const MOST_MESSAGES = 500;

/** Newest first: messages. Oldest first: rows, the invocations. */
export const stage = {
  isConnected: false,
  about: { name: '', url: '' },
  clock: { zone: 'UTC', offset_ms: 0, midnight: null },
  faults: {},
  functions: [],
  schedules: [],
  letters: { count: 0, newest: [] },
  messages: [],
  rows: [],
  /** How many rows have been dropped or forgotten, so that a reader can tell which are new. */
  dropped: 0,
  /** How many the stage has left out, because there were too many at once. */
  leftOut: 0,
};

const listeners = new Set();
let changed = new Set();
let waits = false;
let skew = 0;
let source = null;

/** Calls `listener` with the names of what has changed, at most once a frame. */
export function listen(listener) {
  listeners.add(listener);
}

/** The stage's time, in milliseconds since 1970. */
export function now() {
  return Date.now() + skew;
}

export function change(...names) {
  for (const name of names) changed.add(name);
  if (waits) return;
  waits = true;
  const tell = () => {
    waits = false;
    const names = changed;
    changed = new Set();
    for (const listener of listeners) listener(names);
  };
  // A page that nobody sees gets no frames.
  if (document.hidden) setTimeout(tell, 50);
  else requestAnimationFrame(tell);
}

/** Listens for as long as the page is seen: a page in the background costs the stage nothing. */
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
  // A new connection begins with all there is.
  source.onopen = () => {
    stage.isConnected = true;
    change('connection');
  };
  source.onerror = () => {
    stage.isConnected = false;
    change('connection');
    // A browser gives up for good when the port is closed; a stage that is started again is found again.
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      setTimeout(() => !source && !document.hidden && open(), 1000);
    }
  };
  source.onmessage = (event) => take(JSON.parse(event.data));
}

function take(news) {
  if (news.stage) {
    stage.about = news.stage;
    stage.dropped += stage.rows.length;
    stage.rows = [];
    stage.leftOut = 0;
    stage.messages = [];
    change('stage', 'messages', 'rows');
  }
  if (news.clock) {
    stage.clock = news.clock;
    skew = Date.parse(news.clock.now) - Date.now();
    change('clock');
  }
  for (const name of ['faults', 'functions', 'schedules']) {
    if (news[name]) {
      stage[name] = news[name];
      change(name);
    }
  }
  if (news.dead_letters) {
    stage.letters = news.dead_letters;
    change('letters');
  }
  if (news.messages) {
    // One that comes alone is worth a look. Many at once are not, and moving things cost the stage's machine.
    for (const message of news.messages) message.isFresh = !news.stage && news.messages.length <= 3;
    stage.messages = [...news.messages.reverse(), ...stage.messages].slice(0, MOST_MESSAGES);
    change('messages');
  }
  if (news.invocations) {
    stage.rows.push(...news.invocations);
    stage.leftOut += news.left_out ?? 0;
    const over = stage.rows.length - MOST_ROWS;
    if (over > 0) {
      // A copy, and seldom: cutting the front off an array moves all that is behind it.
      stage.rows = stage.rows.slice(over);
      stage.dropped += over;
    }
    change('rows');
  }
}
