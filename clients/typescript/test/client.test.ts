// What the client does without a service: `fetch` is a stand-in that records its calls. Run by `make test-clients`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Badge, BadgeError, dataOf, type Credentials, type Options } from '../client';

const phone = '13800138000';
const sid = `00${'a'.repeat(43)}`;
const signedIn = { code: 0, msg: 'ok', data: { user_id: 'u', token: 't.t.t', expires_in: 1200, device: 'd' } };

interface Seen {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

/** A client whose calls get these replies, one after the other: an envelope, a response, or an error to be thrown. */
function client(replies: unknown[], options: Partial<Options> = {}) {
  const seen: Seen[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    const { method = 'GET', headers, body } = init;
    seen.push({ url: String(url), method, headers: headers as Record<string, string>, body: body && JSON.parse(String(body)) });
    const reply = replies.shift();
    if (reply instanceof Error) throw reply;
    return reply instanceof Response ? reply : Response.json(reply);
  };
  return { badge: new Badge({ url: 'https://api.test/prod/iwc/badge/', fetch, ...options }), seen };
}

/** A `fetch` that never answers, and gives up as the real one does. */
const hanging: typeof fetch = async (_, init) => {
  init?.signal?.throwIfAborted();
  return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)));
};

test('data is what the envelope has', async () => {
  const { badge, seen } = client([{ code: 0, msg: 'ok', data: { expires_in: 300, retry_after: 60 } }], { language: 'en' });
  const { data, error } = await badge.veriCode({ phone });
  assert.deepEqual([data, error], [{ expires_in: 300, retry_after: 60 }, undefined]);
  assert.equal(seen[0]?.url, 'https://api.test/prod/iwc/badge/user/veri_code');
  assert.deepEqual([seen[0]?.method, seen[0]?.body, seen[0]?.headers['Accept-Language']], ['POST', { phone }, 'en']);
});

test('a refusal carries the details of its code', async () => {
  const headers = { 'x-request-id': 'r1' };
  const refused = (code: number, data: unknown) => Response.json({ code, msg: 'no', data }, { headers });
  const { badge } = client([
    refused(11005, { retry_after: 42 }),
    refused(11001, { phone: 'is not a valid phone number' }),
    refused(11001, ''),
    refused(10009, { restore_until: 'later' }),
    refused(19999, { detail: 1 }),
  ]);
  const of = { message: 'no', request_id: 'r1' };
  const limited = (await badge.veriCode({ phone })).error;
  assert(limited?.code === 11005 && limited.retry_after === 42);
  const invalid = (await badge.veriCode({ phone })).error;
  assert(invalid?.code === 11001 && invalid.reasons['phone'] === 'is not a valid phone number');
  assert.deepEqual((await badge.veriCode({ phone })).error, { code: 11001, ...of, reasons: {} });
  const deleted = (await badge.login({ phone, veri_code: '042917' })).error;
  assert(deleted?.code === 10009 && deleted.restore_until === 'later');
  assert.deepEqual((await badge.me()).error, { code: 19999, ...of, detail: 1 }, 'a code of a newer service');
});

test('what is no reply of the service is a failure', async () => {
  const { badge } = client([new TypeError('refused'), new Response('<html>', { status: 502 }), Response.json(null)]);
  const codes = [(await badge.me()).error?.code, (await badge.me()).error?.code, (await badge.me()).error?.code];
  assert.deepEqual(codes, ['network', 'unreadable', 'unreadable']);
});

test('a call ends with its time and with its signal', async () => {
  const { badge } = client([], { fetch: hanging, timeout: 20 });
  assert.equal((await badge.me()).error?.code, 'timeout');
  assert.equal((await badge.me({ timeout: 1 })).error?.code, 'timeout');
  assert.equal((await badge.me({ signal: AbortSignal.abort() })).error?.code, 'aborted');
  const stop = new AbortController();
  const call = badge.me({ signal: stop.signal, timeout: 60_000 });
  stop.abort();
  assert.equal((await call).error?.code, 'aborted');
});

test('a code that is asked for again after a failure has the same key', async () => {
  const sent = { code: 0, msg: 'ok', data: { expires_in: 300, retry_after: 60 } };
  const { badge, seen } = client([new TypeError('lost'), { code: 15004, msg: '', data: '' }, sent, sent, sent]);
  for (let call = 0; call < 4; call += 1) await badge.veriCode({ phone });
  await badge.veriCode({ phone: '13800138001' });
  const keys = seen.map(({ headers }) => headers['Idempotency-Key']);
  assert.match(keys[0] ?? '', /^[0-9a-f]{32}$/);
  assert.deepEqual([keys[1], keys[2]], [keys[0], keys[0]]);
  assert.equal(new Set(keys).size, 3);
});

test('credentials are kept, told and sent', async () => {
  const told: Credentials[] = [];
  const cookie = `__sid__=${sid}; HttpOnly; Max-Age=86400; Path=/; SameSite=Lax`;
  const response = new Response(JSON.stringify(signedIn), { headers: [['set-cookie', '__did__=d; Path=/'], ['set-cookie', cookie]] });
  const done = { code: 0, msg: 'ok', data: '' };
  const { badge, seen } = client([response, done, done, done], { onChange: (its) => told.push(its) });
  dataOf(await badge.login({ phone, veri_code: '042917' }));
  const { session, token, device } = badge.credentials;
  assert.deepEqual([session, token, device, told.length], [sid, 't.t.t', 'd', 1]);
  assert.equal(dataOf(await badge.token()).token, 't.t.t');
  assert.equal(seen.length, 1, 'the kept token is given out');
  await badge.logout();
  assert.equal(seen[1]?.headers['Authorization'], sid);
  assert.equal(seen[1]?.headers['X-Device'], undefined);
  assert.deepEqual([badge.credentials, told.at(-1)], [{ device: 'd' }, { device: 'd' }]);
  await badge.veriCode({ phone });
  assert.deepEqual([seen[2]?.headers['X-Device'], seen[2]?.headers['Authorization']], ['d', undefined]);
});

test('a page of another origin gets the session in the reply', async () => {
  const { badge } = client([{ ...signedIn, data: { ...signedIn.data, session: sid } }]);
  await badge.login({ phone, veri_code: '042917' });
  assert.equal(badge.credentials.session, sid);
});

test('a token that is about to end is renewed by the session', async () => {
  const credentials = { session: sid, token: 'old', token_ends_at: Date.now() + 59_000 };
  const { badge, seen } = client([{ code: 0, msg: 'ok', data: { token: 'new', expires_in: 1200 } }], { credentials });
  assert.equal(dataOf(await badge.token()).token, 'new');
  assert.deepEqual([seen[0]!.url.endsWith('/user/token'), badge.credentials.token], [true, 'new']);
});

test('a token that a call ends is not given out again', async () => {
  const credentials = { session: sid, token: 'old', token_ends_at: Date.now() + 600_000 };
  const replies = [{ code: 0, msg: 'ok', data: '' }, { code: 0, msg: 'ok', data: { token: 'new', expires_in: 1200 } }];
  for (const end of [
    (badge: Badge) => badge.endSessions({ others: true }),
    (badge: Badge) => badge.changePhone({ phone, veri_code: '042917', old_veri_code: '042918' }),
  ]) {
    const { badge } = client([...replies], { credentials });
    dataOf(await end(badge));
    assert.deepEqual(badge.credentials, { session: sid });
    assert.equal(dataOf(await badge.token()).token, 'new');
  }
});

test('a session that has ended is forgotten', async () => {
  const ended = { code: 10006, msg: '', data: '' };
  const { badge, seen } = client([ended, ended], { credentials: { session: sid, token: 't', device: 'd' } });
  assert.equal((await badge.me()).error?.code, 10006);
  assert.deepEqual(badge.credentials, { device: 'd' });
  await badge.me();
  assert.equal(seen[1]?.headers['Authorization'], undefined);
});

test('a client with a token alone sends it', async () => {
  const { badge, seen } = client([{ code: 10006, msg: '', data: '' }], { credentials: { token: 't.t.t' } });
  await badge.me();
  assert.equal(seen[0]?.headers['Authorization'], 'Bearer t.t.t');
});

test('all users are read page by page', async () => {
  const page = (id: string, next: string | null) => ({ code: 0, msg: 'ok', data: [{ id }], next });
  const limited = { code: 11005, msg: 'later', data: { retry_after: 9 } };
  const { badge, seen } = client([page('1', 'a+b'), page('2', null), page('3', 'c'), limited]);
  const ids: string[] = [];
  for await (const user of badge.users({ limit: 1 })) ids.push(user.id);
  assert.deepEqual(ids, ['1', '2']);
  assert.deepEqual(seen.map(({ url }) => new URL(url).search), ['?limit=1', '?limit=1&cursor=a%2Bb']);
  await assert.rejects(
    async () => {
      for await (const user of badge.users()) ids.push(user.id);
    },
    (thrown) => thrown instanceof BadgeError && thrown.error.code === 11005,
  );
  assert.deepEqual(ids, ['1', '2', '3']);
});
