/**
 * A client of badge, for browsers and for Node 18 and later. It opens the envelope, tells errors apart by `code`, and keeps
 * the session, the token and the token of the device.
 *
 *     const badge = new Badge({ url: 'https://api.example.com/prod/iwc/badge' });
 *     const { data, error } = await badge.login({ phone, veri_code });
 *     if (error?.code === 11005) wait(error.retry_after);
 *
 * It is one file without anything that needs a compiler but types, so that Node 22.18 and bundlers also take it as it is.
 */

// ---- what routes take and give: `test/description.ts` compares it with docs/openapi.yaml ------------------------------

/** 1 is male, 2 is female. */
export type Gender = 1 | 2;

export type ServerErrorCode = 15001 | 15002 | 15003 | 15004 | 50000;
type AnyRoute = ServerErrorCode | 51400 | 51403 | 51413;
type OfSession = AnyRoute | 10006 | 10008;
type OfSessionOrToken = OfSession | 10005;

export interface User {
  id: string;
  /** `YYYY-MM-DD HH:MM:SS` in the stage's time zone, as all times. */
  create_time: string;
  update_time: string | null;
  user_name: string;
  gender: Gender;
  /** Null unless the caller is an admin. */
  birth_day: string | null;
  province: string;
  city: string;
  /** Hidden but for the country code and two digits, unless the caller is an admin. */
  phone: string;
  /** 1 is in lists of admins alone. */
  is_delete: 0 | 1;
}

export interface Account extends Omit<User, 'birth_day' | 'is_delete'> {
  birth_day: string;
  is_delete: 0;
  role: 'user' | 'admin';
  /** Only of users who were imported. */
  legacy_id?: number;
}

export interface OwnSession {
  /** Names the session for `endSessions`; it opens nothing. */
  id: string;
  current: boolean;
  opened_at: string;
  seen_at: string;
  client: string;
  network: string;
}

/** A user as an admin sees one alone. */
export interface AdminUser extends Omit<Account, 'is_delete'> {
  state: UserState;
  is_delete: 0 | 1;
  is_disabled: 0 | 1;
  delete_time: string | null;
  deleted_by_admin: 0 | 1;
}

export type UserState = 'live' | 'disabled' | 'deleted';

export interface AuditEvent {
  /** A counter of the user's changes. */
  version: number;
  at: string;
  changed_by?: {
    user_id?: string;
    role: 'user' | 'admin' | 'operator' | 'job';
    credential: 'session' | 'token' | 'code' | 'operator' | 'job';
    request_id: string;
  };
  /** Names of the fields that changed. */
  fields: string[];
  values: { role?: 'user' | 'admin'; is_disabled?: 0 | 1; is_delete?: 0 | 1 };
}

export interface Registration {
  user_name: string;
  gender: Gender;
  /** `YYYY-MM-DD`. */
  birth_day: string;
  phone: string;
  veri_code: string;
  province?: string;
  city?: string;
}

/** By path, without the stage and the prefix. `code` are those of refusals. */
export interface Routes {
  '/user/veri_code': {
    body: { phone: string };
    data: { expires_in: number; retry_after: number };
    code: AnyRoute | 11001 | 11005;
  };
  '/user/register': {
    body: Registration;
    data: { user_id: string; device?: string };
    code: AnyRoute | 10008 | 11001 | 11002 | 11003 | 11005;
  };
  '/user/login': {
    /** `restore` takes a deletion back: 10009 says until when. */
    body: { phone: string; veri_code: string; restore?: boolean };
    data: { user_id: string; token: string; expires_in: number; device: string; session?: string };
    code: AnyRoute | 10008 | 10009 | 11001 | 11003 | 11004 | 11005;
  };
  '/user/logout': { data: ''; code: OfSession };
  '/user/index': {
    query: { limit?: number; cursor?: string; state?: UserState };
    data: User[];
    next: string | null;
    code: OfSessionOrToken | 10007 | 11001 | 11005;
  };
  '/user/me': { data: Account; code: OfSessionOrToken };
  '/user/update': {
    body: Partial<Pick<Registration, 'user_name' | 'gender' | 'birth_day'>> & {
      /** Null clears it. */
      province?: string | null;
      city?: string | null;
    };
    data: Account;
    code: OfSessionOrToken | 11001;
  };
  '/user/token': { data: { token: string; expires_in: number }; code: OfSession };
  '/user/sessions': { data: OwnSession[]; next: null; code: OfSessionOrToken };
  '/user/end_sessions': { body: { id?: string; others?: boolean }; data: ''; code: OfSessionOrToken | 11001 };
  '/user/change_phone': {
    body: { phone: string; veri_code: string; old_veri_code: string };
    data: '';
    code: OfSession | 11001 | 11002 | 11003 | 11005;
  };
  '/user/delete': { body: { veri_code: string }; data: { restore_until: string }; code: OfSession | 11001 | 11003 | 11005 };
  '/user/export': {
    data: { user: Account; sessions: OwnSession[]; events: AuditEvent[] };
    code: OfSession | 11005;
  };
  '/admin/user': {
    query: { phone?: string; id?: string };
    data: AdminUser;
    code: OfSessionOrToken | 10007 | 11001 | 11004;
  };
  '/admin/update': {
    /** Changes of the user `id`; or `reset_tries` with a `phone` alone. */
    body: {
      id?: string;
      role?: 'user' | 'admin';
      disabled?: boolean;
      end_sessions?: boolean;
      delete?: boolean;
      restore?: boolean;
      phone?: string;
      reset_tries?: boolean;
    };
    /** Empty after `reset_tries`. */
    data: AdminUser | '';
    code: OfSessionOrToken | 10007 | 11001 | 11004;
  };
  '/admin/audit': {
    query: { id: string; limit?: number; cursor?: string };
    data: AuditEvent[];
    next: string | null;
    code: OfSessionOrToken | 10007 | 11001 | 11004;
  };
}

// ---- replies ----------------------------------------------------------------------------------------------------------

export type Path = keyof Routes;
export type Body<P extends Path> = Routes[P] extends { body: infer B } ? B : undefined;
export type Query<P extends Path> = Routes[P] extends { query: infer Q } ? Q : undefined;

/** What a refusal carries besides its message. */
interface Details {
  /** The reason by the name of the parameter; empty when one is missing. */
  11001: { reasons: Record<string, string> };
  /** Seconds until the same request can pass. */
  11005: { retry_after: number };
  10009: { restore_until: string };
}

/** A reply of the service that is not code 0. A service newer than this client can give further codes: keep a default. */
export type Refusal<C extends number = Routes[Path]['code']> = {
  [K in C]: { code: K; message: string; request_id: string } & (K extends keyof Details ? Details[K] : unknown);
}[C];

/** No reply of the service came. The request may have been carried out. `unreadable` is the reply of something in between. */
export interface Failure {
  code: 'network' | 'timeout' | 'aborted' | 'unreadable';
  message: string;
  cause?: unknown;
}

type Next<P extends Path> = Routes[P] extends { next: infer N } ? { next: N } : unknown;
export type Reply<P extends Path> =
  | ({ data: Routes[P]['data']; error?: undefined } & Next<P>)
  | { data?: undefined; error: Refusal<Routes[P]['code']> | Failure };

/** Thrown by `dataOf` and `users` in place of a returned `error`. */
export class BadgeError extends Error {
  readonly error: Refusal | Failure;

  constructor(error: Refusal | Failure) {
    super(`${error.message} (${error.code})`, { cause: 'cause' in error ? error.cause : undefined });
    this.name = 'BadgeError';
    this.error = error;
  }
}

/** The data of a reply; throws a `BadgeError` if there is none. */
export function dataOf<R extends { data?: unknown; error?: Refusal | Failure | undefined }>(reply: R): Exclude<R['data'], undefined> {
  if (reply.error) throw new BadgeError(reply.error);
  return reply.data as Exclude<R['data'], undefined>;
}

// ---- client -----------------------------------------------------------------------------------------------------------

/** What opens an account. All but `device` end with the session. */
export interface Credentials {
  /** The bare id of the session; absent where the browser keeps it as a cookie. */
  session?: string;
  token?: string;
  /** When the token ends, in milliseconds since the Unix epoch. */
  token_ends_at?: number;
  /** The token of this device, good for 90 days. */
  device?: string;
}

export interface Options {
  /** Address of the API with stage and prefix. A page of the same origin can give a path: `/prod/iwc/badge`. */
  url: string;
  /** `Accept-Language` of messages and texts; a browser sends its own. */
  language?: string;
  /** How long a call may take in milliseconds; by default 10,000. */
  timeout?: number;
  /** What was stored by `onChange`. */
  credentials?: Credentials;
  /** Called with the credentials whenever they change, to store them. */
  onChange?: (credentials: Credentials) => void;
  fetch?: typeof fetch;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** In milliseconds, for this call. */
  timeout?: number;
}

const IS_LIST: ReadonlySet<Path> = new Set<Path>(['/user/index', '/user/sessions', '/admin/audit']);
const SENDS_DEVICE: ReadonlySet<Path> = new Set<Path>(['/user/veri_code', '/user/register', '/user/login']);
/** A token that ends sooner than this is renewed before it is given out. */
const TOKEN_REST_MS = 60_000;
const NO_TOKEN = { token: undefined, token_ends_at: undefined };

export class Badge {
  readonly #options: Options;
  /** Whether the browser keeps the session: a page of the API's own origin, where scripts cannot read the cookie. */
  readonly #hasCookies: boolean;
  #kept: Credentials;
  /** The key of the last `veri_code` that had no success: asking again must not send a second message. */
  #unanswered: { phone: string; key: string } | undefined;

  constructor(options: Options) {
    this.#options = { ...options, url: options.url.replace(/\/$/, '') };
    this.#kept = { ...options.credentials };
    const here: string | undefined = globalThis.location?.origin;
    this.#hasCookies = here !== undefined && here !== 'null' && new URL(options.url, here).origin === here;
  }

  /** A copy of what the client keeps. */
  get credentials(): Credentials {
    return { ...this.#kept };
  }

  /** Sends a code. Called again after a failure it sends no second message. */
  async veriCode(body: Body<'/user/veri_code'>, options?: CallOptions): Promise<Reply<'/user/veri_code'>> {
    if (this.#unanswered?.phone !== body.phone) this.#unanswered = { phone: body.phone, key: randomKey() };
    const headers = { 'Idempotency-Key': this.#unanswered.key };
    const reply = await this.#call('POST', '/user/veri_code', { body, headers }, options);
    if (!reply.error) this.#unanswered = undefined;
    return reply;
  }

  async register(body: Registration, options?: CallOptions): Promise<Reply<'/user/register'>> {
    const reply = await this.#call('POST', '/user/register', { body }, options);
    if (reply.data?.device) this.#keep({ device: reply.data.device });
    return reply;
  }

  /** Signs in; the session and the token are kept. */
  async login(body: Body<'/user/login'>, options?: CallOptions): Promise<Reply<'/user/login'>> {
    let session: string | undefined;
    const reply = await this.#call('POST', '/user/login', { body, onResponse: (its) => (session = sessionOf(its)) }, options);
    if (reply.data) this.#keep({ device: reply.data.device, ...timed(reply.data), session: reply.data.session ?? session });
    return reply;
  }

  /** Ends the session. The device stays known. */
  async logout(options?: CallOptions): Promise<Reply<'/user/logout'>> {
    const reply = await this.#call('POST', '/user/logout', {}, options);
    if (!reply.error) this.#signedOut();
    return reply;
  }

  /** One page of users, newest first. */
  index(query: Query<'/user/index'> = {}, options?: CallOptions): Promise<Reply<'/user/index'>> {
    return this.#call('GET', '/user/index', { query }, options);
  }

  /** All users, newest first: `for await (const user of badge.users())`. Throws `BadgeError`. */
  async *users(query: Query<'/user/index'> = {}, options?: CallOptions): AsyncGenerator<User, void, void> {
    for (let cursor = query.cursor; ; ) {
      const page = await this.index({ ...query, ...(cursor && { cursor }) }, options);
      yield* dataOf(page);
      if (page.error || page.next === null) return;
      cursor = page.next;
    }
  }

  me(options?: CallOptions): Promise<Reply<'/user/me'>> {
    return this.#call('GET', '/user/me', {}, options);
  }

  update(body: Body<'/user/update'>, options?: CallOptions): Promise<Reply<'/user/update'>> {
    return this.#call('POST', '/user/update', { body }, options);
  }

  /** The token for other services: the kept one, or a new one when it ends within a minute. */
  async token(options?: CallOptions): Promise<Reply<'/user/token'>> {
    const { token, token_ends_at = 0 } = this.#kept;
    const rest = token_ends_at - Date.now();
    if (token && rest > TOKEN_REST_MS) return { data: { token, expires_in: Math.floor(rest / 1000) } };
    const reply = await this.#call('POST', '/user/token', {}, options);
    if (reply.data) this.#keep(timed(reply.data));
    return reply;
  }

  sessions(options?: CallOptions): Promise<Reply<'/user/sessions'>> {
    return this.#call('GET', '/user/sessions', {}, options);
  }

  /** Ends one session, or all but this one with every token. */
  async endSessions(body: Body<'/user/end_sessions'>, options?: CallOptions): Promise<Reply<'/user/end_sessions'>> {
    const reply = await this.#call('POST', '/user/end_sessions', { body }, options);
    if (!reply.error) this.#keep(NO_TOKEN);
    return reply;
  }

  /** Takes a code that was sent to each of both numbers, and ends all sessions but this one, and every token. */
  async changePhone(body: Body<'/user/change_phone'>, options?: CallOptions): Promise<Reply<'/user/change_phone'>> {
    const reply = await this.#call('POST', '/user/change_phone', { body }, options);
    if (!reply.error) this.#keep(NO_TOKEN);
    return reply;
  }

  /** Deletes the account; `login` with `restore` takes it back for some days. */
  async delete(body: Body<'/user/delete'>, options?: CallOptions): Promise<Reply<'/user/delete'>> {
    const reply = await this.#call('POST', '/user/delete', { body }, options);
    if (!reply.error) this.#signedOut();
    return reply;
  }

  export(options?: CallOptions): Promise<Reply<'/user/export'>> {
    return this.#call('GET', '/user/export', {}, options);
  }

  adminUser(query: Query<'/admin/user'>, options?: CallOptions): Promise<Reply<'/admin/user'>> {
    return this.#call('GET', '/admin/user', { query }, options);
  }

  adminUpdate(body: Body<'/admin/update'>, options?: CallOptions): Promise<Reply<'/admin/update'>> {
    return this.#call('POST', '/admin/update', { body }, options);
  }

  adminAudit(query: Query<'/admin/audit'>, options?: CallOptions): Promise<Reply<'/admin/audit'>> {
    return this.#call('GET', '/admin/audit', { query }, options);
  }

  async #call<P extends Path>(method: 'GET' | 'POST', path: P, sent: Sent, options: CallOptions = {}): Promise<Reply<P>> {
    const { url, language, timeout = 10_000 } = this.#options;
    const { session, token, device } = this.#kept;
    const credential = session ?? (token && `Bearer ${token}`);
    const stop = new AbortController();
    const abort = () => stop.abort();
    const timer = setTimeout(abort, options.timeout ?? timeout);
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    const query = new URLSearchParams(Object.entries(sent.query ?? {}).map(([name, value]) => [name, String(value)]));
    let text: string;
    let response: Response;
    try {
      // Called without `this`, which browsers refuse to be another object.
      const send = this.#options.fetch ?? globalThis.fetch;
      response = await send(url + path + (query.size ? `?${query}` : ''), {
        method,
        credentials: this.#hasCookies ? 'same-origin' : 'omit',
        signal: stop.signal,
        body: sent.body === undefined ? null : JSON.stringify(sent.body),
        headers: {
          ...(sent.body !== undefined && { 'Content-Type': 'application/json' }),
          ...(language && { 'Accept-Language': language }),
          ...(credential && !this.#hasCookies && { Authorization: credential }),
          ...(device && SENDS_DEVICE.has(path) && { 'X-Device': device }),
          ...sent.headers,
        },
      });
      text = await response.text();
    } catch (cause) {
      const code = options.signal?.aborted ? 'aborted' : stop.signal.aborted ? 'timeout' : 'network';
      return { error: { code, message: `${path}: ${code}`, cause } };
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    }
    const envelope = read(text);
    if (!envelope) return { error: { code: 'unreadable', message: `${path}: HTTP ${response.status} without an envelope` } };
    if (envelope.code !== 0) {
      if (envelope.code === 10006 && session && session === this.#kept.session) this.#signedOut();
      return { error: refusal(envelope, response.headers.get('x-request-id') ?? '') as Refusal<Routes[P]['code']> };
    }
    sent.onResponse?.(response);
    const next = IS_LIST.has(path) && { next: envelope.next ?? null };
    return { data: envelope.data, ...next } as Reply<P>;
  }

  #signedOut(): void {
    this.#keep({ ...NO_TOKEN, session: undefined });
  }

  #keep(changed: { [K in keyof Credentials]: Credentials[K] | undefined }): void {
    const all = Object.entries({ ...this.#kept, ...changed }).filter(([, value]) => value !== undefined);
    this.#kept = Object.fromEntries(all);
    this.#options.onChange?.(this.credentials);
  }
}

interface Sent {
  body?: unknown;
  query?: object | undefined;
  headers?: Record<string, string>;
  onResponse?: (response: Response) => void;
}

interface Envelope {
  code: number;
  msg: string;
  data: unknown;
  next?: string | null;
}

function read(text: string): Envelope | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof (parsed as Envelope | null)?.code === 'number' ? (parsed as Envelope) : undefined;
  } catch {
    return undefined;
  }
}

function refusal({ code, msg, data }: Envelope, request_id: string): object {
  const details = typeof data === 'object' && data !== null ? data : {};
  return { code, message: msg, request_id, ...(code === 11001 ? { reasons: details } : details) };
}

/** The id that `login` sets as a cookie, where a client can read it: outside of browsers. */
function sessionOf({ headers }: Response): string | undefined {
  return headers.get('set-cookie')?.match(/(?:^|, )__sid__=([^;,]+)/)?.[1];
}

function timed({ token, expires_in }: { token: string; expires_in: number }): Credentials {
  return { token, token_ends_at: Date.now() + expires_in * 1000 };
}

/** Not `randomUUID`, which pages without TLS do not have. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
