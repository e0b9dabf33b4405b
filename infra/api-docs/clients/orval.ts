// Registers, signs in, lists users and signs out through the client that orval makes for fetch, and checks each reply with the
// schemas that it makes for zod.

import assert from 'node:assert/strict';

import { Gender, login, logout, register, userIndex, veriCode } from './badge';
import { LoginResponse, LogoutResponse, RegisterResponse, UserIndexResponse, VeriCodeResponse } from './badge.zod';
import { ask, sessionOf } from './terminal';

const phone = '13800138000';
const wrongCode = '000000';
const person = { user_name: '张三', gender: Gender.FEMALE, birth_day: '1990-01-02', phone };

const { data: sent } = await veriCode({ phone });
assert(sent.code === 0);
VeriCodeResponse.parse(sent);
const { data: limited } = await veriCode({ phone });
assert(limited.code === 11005 && limited.data.retry_after > 0);
VeriCodeResponse.parse(limited);

const { data: refused } = await register({ ...person, birth_day: '1800-01-01', veri_code: wrongCode });
assert(refused.code === 11001 && refused.data !== '');
assert.deepEqual(Object.keys(refused.data), ['birth_day']);
RegisterResponse.parse(refused);
const { data: user } = await register({ ...person, veri_code: await ask('Code: ') });
assert(user.code === 0);
RegisterResponse.parse(user);

// To sign in takes a code of its own.
await ask(`Wait for ${sent.data.retry_after} s, then press Enter: `);
assert.equal((await veriCode({ phone })).data.code, 0);
const { data: wrong } = await login({ phone, veri_code: wrongCode });
assert(wrong.code === 11003);
LoginResponse.parse(wrong);
const { data: reply, headers } = await login({ phone, veri_code: await ask('Code: ') });
assert(reply.code === 0);
assert.equal(reply.data.user_id, user.data.user_id);
LoginResponse.parse(reply);

const byToken = { headers: { Authorization: `Bearer ${reply.data.token}` } };
const bySession = { headers: { Authorization: sessionOf(headers) } };
for (const credential of [byToken, bySession]) {
  const { data: page } = await userIndex({ limit: 10 }, credential);
  assert(page.code === 0 && page.next === null);
  assert.deepEqual(page.data.map(({ id, gender, birth_day }) => [id, gender, birth_day]), [[user.data.user_id, Gender.FEMALE, null]]);
  UserIndexResponse.parse(page);
}

assert.equal((await logout(bySession)).data.code, 0);
const { data: after } = await logout(bySession);
assert(after.code === 10006);
LogoutResponse.parse(after);
const { data: list } = await userIndex({}, bySession);
assert(list.code === 10006);
UserIndexResponse.parse(list);
assert.throws(() => UserIndexResponse.parse({ ...list, code: 1 }));
