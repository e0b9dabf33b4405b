// The interface of the service, as docs/openapi.yaml describes it: routes, and what can be filled in for each.

import { door } from './doors.js';

let asked = null;

/** All operations, or an empty list where there is no description. */
export function operations(stageName) {
  asked ??= door('GET', 'api');
  return asked.then((document) => read(document, stageName), () => {
    asked = null;
    return [];
  });
}

function read(document, stageName) {
  const resolve = (node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at?.[key], document) : node);
  const base = new URL((document.servers?.[0]?.url ?? '').replace('{stage}', stageName), location.href).pathname;
  return Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path: `${base}${path}`,
      summary: operation.summary,
      description: operation.description,
      isOpen: (operation.security ?? []).length === 0,
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
  const choices = [...new Map((schema.enum ?? []).map((value) => [`${value}`, value])).values()];
  return { name, place, isRequired, choices, isDate: schema.format === 'date', description: description ?? schema.description, example };
}

/** What a form says of an operation: the request that it stands for. */
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

/** The value of a choice has its type; what is typed is text. */
function typed({ choices }, text) {
  return choices.find((choice) => `${choice}` === text) ?? text;
}

/** The same request for a shell. */
export function curl({ method, path, headers, body }, credential) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ['curl', quote(`${location.origin}${path}`)];
  if (method !== 'GET' && body === undefined) parts.push('-X', method);
  if (credential.usesCookie) parts.push('-b cookies -c cookies');
  for (const [name, value] of Object.entries(headers)) parts.push('-H', quote(`${name}: ${value}`));
  if (body !== undefined) parts.push('-d', quote(body));
  return parts.join(' ');
}

/** Header and claims of a JSON web token, or null if it is none. Its signature is not looked at. */
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
