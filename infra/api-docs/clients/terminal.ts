// What the programs in TypeScript share: questions at the terminal, settings, the session's cookie.

import { createInterface } from 'node:readline/promises';

export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(question);
  terminal.close();
  return answer;
}

/** The value of an environment variable that must be set. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** The id of the session that a reply of `login` sets as a cookie. A browser keeps it by itself. */
export function sessionOf(headers: Headers): string {
  const cookie = headers.get('set-cookie')?.match(/^__sid__=([^;]+)/);
  if (!cookie?.[1]) throw new Error('no session cookie');
  return cookie[1];
}
