// The API of the service as docs/openapi.yaml describes it: its operations and their forms.

import { control } from './control-api.js';

const asked = {};

/** All operations in a language, or an empty list if there is no description. */
export async function operations(stageName, language) {
  try {
    const [english, overlay] = await Promise.all([load('api'), language === 'zh' ? load('api?lang=zh').catch(() => null) : null]);
    return read(overlay ? translated(english, overlay) : english, stageName);
  } catch {
    return [];
  }
}

function load(path) {
  asked[path] ??= control('GET', path).catch((error) => {
    delete asked[path];
    throw error;
  });
  return asked[path];
}

/** Applies an OpenAPI Overlay 1.0 whose actions are updates with objects. */
function translated(document, overlay) {
  const copy = structuredClone(document);
  for (const { target, update } of overlay.actions ?? []) merge(find(copy, target), update);
  return copy;
}

/**
 * A JSONPath of names, indices and one kind of filter: `$.paths['/user/index'].get.parameters[?@.name == 'limit']`. The
 * overlay also has wildcards and lists of names, for texts that the console does not show; they find nothing.
 */
function find(document, path) {
  const steps = [...path.matchAll(/\.(\w+)|\['([^']+)'\]|\[(\d+)\]|\[\?@\.(\w+) == '([^']*)'\]/g)];
  return steps.reduce((at, [, name, quoted, index, key, value]) =>
    (key ? at?.find?.((one) => one[key] === value) : at?.[name ?? quoted ?? index]), document);
}

function merge(node, update) {
  if (!node) return;
  for (const [key, value] of Object.entries(update)) {
    if (value && typeof value === 'object') merge(node[key], value);
    else node[key] = value;
  }
}

function read(document, stageName) {
  const resolve = (node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at?.[key], document) : node);
  const base = new URL((document.servers?.[0]?.url ?? '').replace('{stage}', stageName), location.href).pathname;
  return Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path: `${base}${path}`,
      name: path.slice(1),
      summary: operation.summary,
      isOpen: (operation.security ?? []).length === 0,
      takesToken: (operation.security ?? []).some((scheme) => Object.keys(scheme).some((name) => name.startsWith('token'))),
      fields: [...body(operation, resolve), ...(operation.parameters ?? []).map((one) => parameter(resolve(one), resolve))],
      hasBody: Boolean(operation.requestBody),
    })));
}

function body(operation, resolve) {
  const content = operation.requestBody?.content?.['application/json'];
  const schema = resolve(content?.schema);
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => field({
    name, place: 'body', isRequired: (schema.required ?? []).includes(name), schema: resolve(property), example: content.example?.[name],
  }));
}

function parameter(one, resolve) {
  const schema = resolve(one.schema) ?? {};
  return field({ name: one.name, place: one.in, isRequired: Boolean(one.required), schema, description: one.description, example: schema.default });
}

function field({ name, place, isRequired, schema, description, example }) {
  const values = schema?.enum ?? (schema?.type === 'boolean' ? [true, false] : []);
  const choices = [...new Map(values.map((value) => [`${value}`, value])).values()];
  return { name, place, isRequired, choices, isDate: schema?.format === 'date', description: description ?? schema?.description, example };
}

/** The request of a filled-in form. */
export function request(operation, values, credential) {
  const given = operation.fields.filter(({ name }) => values[name]);
  const query = new URLSearchParams(given.filter(({ place }) => place === 'query').map(({ name }) => [name, values[name]]));
  const headers = Object.fromEntries(given.filter(({ place }) => place === 'header').map(({ name }) => [name.toLowerCase(), values[name]]));
  if (credential.authorization) headers.authorization = credential.authorization;
  const document = Object.fromEntries(given.filter(({ place }) => place === 'body').map((one) => [one.name, typed(one, values[one.name])]));
  const path = `${operation.path}${query.size ? `?${query}` : ''}`;
  if (operation.hasBody) headers['content-type'] = 'application/json';
  return { method: operation.method, path, headers, body: operation.hasBody ? JSON.stringify(document) : undefined };
}

/** A choice keeps its type; anything else is a string. */
function typed({ choices }, text) {
  return choices.find((choice) => `${choice}` === text) ?? text;
}

/** Sends a request as the page does; `ms` is its duration. */
export async function call({ method, path, headers, body }, { usesCookie }) {
  const began = performance.now();
  const answer = await fetch(path, { method, headers, body, credentials: usesCookie ? 'same-origin' : 'omit' });
  const text = await answer.text();
  const ms = performance.now() - began;
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // Shown unchanged.
  }
  return { method, path, status: answer.status, headers: [...answer.headers], text, document, ms, requestId: answer.headers.get('x-request-id') };
}

/** The request as a shell command, which needs no file. */
export function curl({ method, path, headers, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ['curl', quote(`${location.origin}${path}`)];
  if (method !== 'GET' && body === undefined) parts.push('-X', method);
  for (const [name, value] of Object.entries(headers)) parts.push('-H', quote(`${name}: ${value}`));
  if (body !== undefined) parts.push('-d', quote(body));
  return parts.join(' ');
}

/** Header and claims of a JSON Web Token, or null. The signature is not verified. */
export function decodeToken(text) {
  const parts = text.trim().replace(/^(jwt|bearer)\s+/i, '').split('.');
  if (parts.length !== 3) return null;
  try {
    const [header, claims] = parts.slice(0, 2).map((part) => {
      const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
      return JSON.parse(new TextDecoder().decode(bytes));
    });
    return { header, claims };
  } catch {
    return null;
  }
}
