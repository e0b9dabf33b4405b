// Who has signed in here, as the replies said: no script can read the cookie of the session.

const KEY = 'badge.account';
/** Operations that end the session of the request. */
const ENDING = new Set(['logout', 'delete_account']);

/** `{ phone, token }` of the last sign-in in this browser; each is missing if there is none. */
export function account() {
  return JSON.parse(localStorage.getItem(KEY) ?? '{}');
}

/** Learns from the reply to a request that named `phone`; `usesCookie` says whether it was sent with the cookie. */
export function learn({ id }, phone, { code, data }, usesCookie) {
  let known = account();
  if (usesCookie && (code === 10006 || (code === 0 && ENDING.has(id)))) known = {};
  // A change of phone ends all tokens.
  if (usesCookie && code === 0 && id === 'change_phone') known = { phone };
  if (code === 0 && id === 'login') known.phone = phone;
  if (code === 0 && data?.token) known.token = data.token;
  localStorage.setItem(KEY, JSON.stringify(known));
}
