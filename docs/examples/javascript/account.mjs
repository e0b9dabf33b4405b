// Signs up, signs in, lists users and signs out: node account.mjs (18 or later)

// region client
import { createInterface } from 'node:readline/promises';

const BADGE = process.env.BADGE_URL ?? 'http://127.0.0.1:9600/local/iwc/badge';
const phone = '13800138000';
let cookie; // A browser keeps it by itself: fetch(…, { credentials: 'include' })

// Returns the envelope of the reply. HTTP is always 200, so look at the code.
async function call(method, path, body, headers) {
  const reply = await fetch(BADGE + path, {
    method,
    headers: { 'Accept-Language': 'en', ...(cookie && { Cookie: cookie }), ...headers },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  const envelope = await reply.json();
  if (envelope.code !== 0) throw new Error(JSON.stringify(envelope));
  cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? cookie;
  return envelope;
}

async function ask(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(question);
  terminal.close();
  return answer;
}
// endregion

// region veri_code
// The same key, sent twice, is one message.
const key = { 'Idempotency-Key': crypto.randomUUID() };
const sent = await call('POST', '/user/veri_code', { phone }, key);
console.log(`The code is good for ${sent.data.expires_in} s.`);
// endregion

// region register
const user = await call('POST', '/user/register', {
  user_name: '张三',
  gender: 1,
  birth_day: '1990-01-02',
  phone,
  veri_code: await ask('Code: '),
});
console.log(user.data.user_id);
// endregion

// To sign in takes a code of its own.
await ask(`Wait for ${sent.data.retry_after} s, then press Enter: `);
await call('POST', '/user/veri_code', { phone });

// region login
const login = await call('POST', '/user/login', { phone, veri_code: await ask('Code: ') });
console.log(login.data.token);
// endregion

// region user_index
// The token will do in the place of the cookie.
const token = { Authorization: `Bearer ${login.data.token}` };
for (let cursor = ''; cursor !== null; ) {
  const query = new URLSearchParams({ limit: 100, cursor });
  const page = await call('GET', `/user/index?${query}`, undefined, token);
  for (const one of page.data) console.log(one.id, one.user_name, one.phone);
  cursor = page.next;
}
// endregion

// region user_me
const me = await call('GET', '/user/me');
console.log(me.data.role);
// endregion

// region user_update
// null clears an optional field.
await call('POST', '/user/update', { user_name: '李四', city: null });
// endregion

// region user_token
const renewed = await call('POST', '/user/token');
console.log(renewed.data.expires_in);
// endregion

// region user_sessions
const sessions = await call('GET', '/user/sessions');
for (const one of sessions.data) console.log(one.opened_at, one.client, one.network);
// endregion

// region end_sessions
await call('POST', '/user/end_sessions', { others: true });
// endregion

// region user_export
const everything = await call('GET', '/user/export');
console.log(JSON.stringify(everything.data));
// endregion

if (me.data.role === 'admin') {
  // region admin_user
  const found = await call('GET', `/admin/user?${new URLSearchParams({ phone })}`);
  console.log(found.data.state);
  // endregion

  // region admin_update
  await call('POST', '/admin/update', { phone: '13900139000', reset_tries: true });
  // endregion

  // region admin_audit
  const about = new URLSearchParams({ id: user.data.user_id, limit: 20 });
  const events = await call('GET', `/admin/audit?${about}`);
  for (const event of events.data) console.log(event.at, event.changed_by?.role, event.fields);
  // endregion
}

// region change_phone
// Both phones receive a code by veri_code.
export const changePhone = (phone, veriCode, oldVeriCode) =>
  call('POST', '/user/change_phone', { phone, veri_code: veriCode, old_veri_code: oldVeriCode });
// endregion

// region delete_account
// A login with `restore: true` restores it.
export const deleteAccount = (veriCode) => call('POST', '/user/delete', { veri_code: veriCode });
// endregion

// region logout
await call('POST', '/user/logout');
// endregion
