// Registers, signs in, lists users and signs out through the client that OpenAPI Generator makes for `typescript-fetch`.

import assert from 'node:assert/strict';

import { Configuration, Gender, UserApi } from './badge';
import { ask, sessionOf, setting } from './terminal';

const basePath = setting('BADGE_URL');
const phone = '13800138000';
const wrongCode = '000000';
const person = { userName: '张三', gender: Gender.FEMALE, birthDay: new Date('1990-01-02'), phone };

const anyone = new UserApi(new Configuration({ basePath }));
const sent = await anyone.veriCode({ veriCodeRequest: { phone } });
assert(sent.code === 0);
const limited = await anyone.veriCode({ veriCodeRequest: { phone } });
assert(limited.code === 11005 && limited.data.retryAfter > 0);

const early = { ...person, birthDay: new Date('1800-01-01'), veriCode: wrongCode };
const refused = await anyone.registerRaw({ registerRequest: early });
// The model drops the members of an object whose names are not in the description, so the reasons are read from the body.
const reasons = await refused.raw.clone().json();
assert((await refused.value()).code === 11001);
assert.deepEqual(Object.keys(reasons.data), ['birth_day']);
const user = await anyone.register({ registerRequest: { ...person, veriCode: await ask('Code: ') } });
assert(user.code === 0);

// To sign in takes a code of its own.
await ask(`Wait for ${sent.data.retryAfter} s, then press Enter: `);
assert.equal((await anyone.veriCode({ veriCodeRequest: { phone } })).code, 0);
const wrong = await anyone.login({ loginRequest: { phone, veriCode: wrongCode } });
assert(wrong.code === 11003);
const reply = await anyone.loginRaw({ loginRequest: { phone, veriCode: await ask('Code: ') } });
const login = await reply.value();
assert(login.code === 0);
assert.equal(login.data.userId, user.data.userId);

const byToken = new UserApi(new Configuration({ basePath, accessToken: login.data.token }));
const bySession = new UserApi(new Configuration({ basePath, apiKey: sessionOf(reply.raw.headers) }));
for (const client of [byToken, bySession]) {
  const page = await client.userIndex({ limit: 10 });
  assert(page.code === 0 && page.next === null);
  assert.deepEqual(page.data.map(({ id, gender, birthDay }) => [id, gender, birthDay]), [[user.data.userId, Gender.FEMALE, null]]);
}

assert.equal((await bySession.logout()).code, 0);
const after = await bySession.logout();
assert(after.code === 10006);
const list = await bySession.userIndex();
assert(list.code === 10006);
