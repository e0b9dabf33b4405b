// Compares the types of client.ts with those that openapi-typescript makes of docs/openapi.yaml. It is only compiled: an error
// names the path on which the two differ.

import type { Path, Routes } from '../client';
import type { paths } from '../description';

/** Paths on which the client is ahead of the description. */
type Ahead =
  | '/user/login'
  | '/user/index'
  | '/user/me'
  | '/user/update'
  | '/user/token'
  | '/user/sessions'
  | '/user/end_sessions'
  | '/user/change_phone'
  | '/user/delete'
  | '/user/export'
  | '/admin/user'
  | '/admin/update'
  | '/admin/audit';

type Flat<T> = T extends object ? { [K in keyof T]: Flat<T[K]> } : T;
type Same<A, B> = (<T>() => T extends Flat<A> ? 1 : 2) extends <T>() => T extends Flat<B> ? 1 : 2 ? true : false;

type Operation<P extends keyof paths> = Extract<paths[P][keyof paths[P]], { responses: unknown }>;
type Envelope<P extends keyof paths> =
  Operation<P> extends { responses: { 200: { content: { 'application/json': infer E } } } } ? E : never;
type Part<T, K extends string> = T extends { [name in K]: infer V } ? V : undefined;

interface Described<P extends keyof paths> {
  body: Operation<P> extends { requestBody: { content: { 'application/json': infer B } } } ? B : undefined;
  query: Operation<P> extends { parameters: { query?: infer Q } } ? ([Q] extends [undefined] ? undefined : Q) : undefined;
  data: Part<Extract<Envelope<P>, { code: 0 }>, 'data'>;
  next: Part<Extract<Envelope<P>, { code: 0 }>, 'next'>;
  code: Exclude<Part<Envelope<P>, 'code'>, 0>;
}

interface Written<P extends Path> {
  body: Part<Routes[P], 'body'>;
  query: Part<Routes[P], 'query'>;
  data: Part<Routes[P], 'data'>;
  next: Part<Routes[P], 'next'>;
  code: Part<Routes[P], 'code'>;
}

/** For each path the parts that differ. */
type Differences = {
  [P in Exclude<Path & keyof paths, Ahead>]: {
    [K in keyof Described<P>]: Same<Described<P>[K], Written<P>[K]> extends true ? never : K;
  }[keyof Described<P>];
};

type Differing = { [P in keyof Differences]: [Differences[P]] extends [never] ? never : `${P}: ${Differences[P]}` };

/** Compiles if the type is never, else the error has it. */
function isNever<T extends never>(): T | void {}

isNever<Differing[keyof Differing]>();
isNever<Exclude<keyof paths, Path>>();
isNever<Exclude<Path, keyof paths | Ahead>>();
