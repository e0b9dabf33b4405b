// What `orval` makes: a client on fetch, and schemas of zod for what goes over the wire.
const input = process.env.BADGE_DESCRIPTION;

export default {
  client: { input, output: { target: 'badge.ts', client: 'fetch', baseUrl: process.env.BADGE_URL } },
  schemas: { input, output: { target: 'badge.zod.ts', client: 'zod' } },
};
