// Registers, signs in, lists users and signs out through the client that hey-api makes.

import assert from 'node:assert/strict';

import { login, logout, register, userIndex, veriCode } from './badge';
import { createClient, createConfig } from './badge/client';
import { ask, sessionOf, setting } from './terminal';

const baseUrl = setting('BADGE_URL');
const phone = '13800138000';
const wrongCode = '000000';
const person = { user_name: '张三', gender: 2, birth_day: '1990-01-02', phone } as const;

const anyone = createClient(createConfig({ baseUrl }));
const { data: sent } = await veriCode({ client: anyone, body: { phone } });
assert(sent?.code === 0);
const { data: limited } = await veriCode({ client: anyone, body: { phone } });
assert(limited?.code === 11005 && limited.data.retry_after > 0);

const early = { ...person, birth_day: '1800-01-01', veri_code: wrongCode };
const { data: refused } = await register({ client: anyone, body: early });
assert(refused?.code === 11001 && refused.data !== '');
assert.deepEqual(Object.keys(refused.data), ['birth_day']);
const { data: user } = await register({ client: anyone, body: { ...person, veri_code: await ask('Code: ') } });
assert(user?.code === 0);

// To sign in takes a code of its own.
await ask(`Wait for ${sent.data.retry_after} s, then press Enter: `);
assert.equal((await veriCode({ client: anyone, body: { phone } })).data?.code, 0);
const { data: wrong } = await login({ client: anyone, body: { phone, veri_code: wrongCode } });
assert(wrong?.code === 11003);
const reply = await login({ client: anyone, body: { phone, veri_code: await ask('Code: ') } });
assert(reply.data?.code === 0);
assert.equal(reply.data.data.user_id, user.data.user_id);

assert(reply.response);
const token = reply.data.data.token;
const session = sessionOf(reply.response.headers);
// A route names all credentials that it takes; a client answers for the one that it has.
const byToken = createClient(createConfig({ baseUrl, auth: ({ scheme }) => (scheme === 'bearer' ? token : undefined) }));
const bySession = createClient(createConfig({ baseUrl, auth: ({ in: place }) => (place === 'cookie' ? session : undefined) }));
for (const client of [byToken, bySession]) {
  const { data: page } = await userIndex({ client, query: { limit: 10 } });
  assert(page?.code === 0 && page.next === null);
  assert.deepEqual(page.data.map(({ id, gender, birth_day }) => [id, gender, birth_day]), [[user.data.user_id, 2, null]]);
}

assert.equal((await logout({ client: bySession })).data?.code, 0);
const { data: after } = await logout({ client: bySession });
assert(after?.code === 10006);
const { data: list } = await userIndex({ client: bySession });
assert(list?.code === 10006);
