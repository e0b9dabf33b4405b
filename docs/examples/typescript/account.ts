// An account's life with the client of clients/typescript: sign up, sign in, see and change what the service has, move to another
// phone, leave, come back, sign out. `make test-clients ONLY=badge-client` compiles and runs it.

import { createInterface } from 'node:readline/promises';

import { Badge, dataOf } from 'badge-client';

const badge = new Badge({ url: process.env['BADGE_URL'] ?? 'http://127.0.0.1:9600/local/iwc/badge', language: 'en' });
const phone = '13800138000';
const newPhone = '13900139000';

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(question);
  terminal.close();
  return answer;
}

// A failed call returns its error, and its code says which one it is.
const { data: sent, error } = await badge.veriCode({ phone });
if (error?.code === 11005) throw new Error(`Too many messages; wait for ${error.retry_after} s.`);
if (error) throw new Error(error.message);
console.log(`The code is good for ${sent.expires_in} s.`);

// `dataOf` throws it instead.
const { user_id } = dataOf(
  await badge.register({ user_name: '张三', gender: 1, birth_day: '1990-01-02', phone, veri_code: await ask('Code: ') }),
);
console.log(user_id);

// Everything takes a code of its own.
const sendCode = async (to: string) => {
  await ask(`Wait for ${sent.retry_after} s, then press Enter: `);
  dataOf(await badge.veriCode({ phone: to }));
};

await sendCode(phone);
for (let code = '000000'; ; code = await ask('Code: ')) {
  const login = await badge.login({ phone, veri_code: code });
  if (!login.error) break;
  if (login.error.code !== 11003) throw new Error(login.error.message);
  console.log(login.error.message);
}

// The client keeps the session, so that later calls are signed in.
for await (const user of badge.users({ limit: 100 })) console.log(user.id, user.user_name, user.phone);

const me = dataOf(await badge.me());
const { city } = dataOf(await badge.update({ city: '310100' }));
console.log(me.id, me.role, city);
for (const session of dataOf(await badge.sessions())) console.log(session.opened_at, session.network, session.current);
dataOf(await badge.endSessions({ others: true }));
console.log(dataOf(await badge.token()).expires_in, dataOf(await badge.export()).events.length);

// Both phones confirm the change. The id and this session stay.
await sendCode(phone);
dataOf(await badge.veriCode({ phone: newPhone }));
dataOf(
  await badge.changePhone({
    phone: newPhone,
    veri_code: await ask(`Code of ${newPhone}: `),
    old_veri_code: await ask('Code: '),
  }),
);

await sendCode(newPhone);
console.log(dataOf(await badge.delete({ veri_code: await ask(`Code of ${newPhone}: `) })).restore_until);

await sendCode(newPhone);
dataOf(await badge.login({ phone: newPhone, veri_code: await ask(`Code of ${newPhone}: `), restore: true }));

dataOf(await badge.logout());
if ((await badge.index()).error?.code !== 10006) throw new Error('still signed in');
