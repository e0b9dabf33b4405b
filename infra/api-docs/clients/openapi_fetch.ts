// Registers, signs in, lists users and signs out through openapi-fetch with the types that openapi-typescript makes.

import assert from 'node:assert/strict';

import createClient from 'openapi-fetch';

import type { paths } from './badge';
import { ask, sessionOf, setting } from './terminal';

const baseUrl = setting('BADGE_URL');
const phone = '13800138000';
const wrongCode = '000000';
const person = { user_name: '张三', gender: 2, birth_day: '1990-01-02', phone } as const;

const anyone = createClient<paths>({ baseUrl });
const { data: sent } = await anyone.POST('/user/veri_code', { body: { phone } });
assert(sent?.code === 0);
const { data: limited } = await anyone.POST('/user/veri_code', { body: { phone } });
assert(limited?.code === 11005 && limited.data.retry_after > 0);

const early = { ...person, birth_day: '1800-01-01', veri_code: wrongCode };
const { data: refused } = await anyone.POST('/user/register', { body: early });
assert(refused?.code === 11001 && refused.data !== '');
assert.deepEqual(Object.keys(refused.data), ['birth_day']);
const { data: user } = await anyone.POST('/user/register', { body: { ...person, veri_code: await ask('Code: ') } });
assert(user?.code === 0);

// To sign in takes a code of its own.
await ask(`Wait for ${sent.data.retry_after} s, then press Enter: `);
assert.equal((await anyone.POST('/user/veri_code', { body: { phone } })).data?.code, 0);
const { data: wrong } = await anyone.POST('/user/login', { body: { phone, veri_code: wrongCode } });
assert(wrong?.code === 11003);
const { data: login, response } = await anyone.POST('/user/login', { body: { phone, veri_code: await ask('Code: ') } });
assert(login?.code === 0);
assert.equal(login.data.user_id, user.data.user_id);

const session = sessionOf(response.headers);
const byToken = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${login.data.token}` } });
const bySession = createClient<paths>({ baseUrl, headers: { Authorization: session } });
for (const client of [byToken, bySession]) {
  const { data: page } = await client.GET('/user/index', { params: { query: { limit: 10 } } });
  assert(page?.code === 0 && page.next === null);
  assert.deepEqual(page.data.map(({ id, gender, birth_day }) => [id, gender, birth_day]), [[user.data.user_id, 2, null]]);
}

assert.equal((await bySession.POST('/user/logout')).data?.code, 0);
const { data: after } = await bySession.POST('/user/logout');
assert(after?.code === 10006);
const { data: list } = await bySession.GET('/user/index');
assert(list?.code === 10006);
