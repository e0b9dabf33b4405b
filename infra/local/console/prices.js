// What AWS asks for what a request uses, in US dollars, without the free tier and without discounts for volume. A test
// holds it to infra/cost/prices.toml, which says where each price was read.

export const PRICES = {
  date: '2026-11-25',
  region: 'us-east-1',
  lambdaRequest: 0.2 / 1e6,
  // ARM, as the functions are shipped.
  lambdaGbSecond: 0.0000133334,
  httpApiRequest: 1.0 / 1e6,
  dynamodbReadUnit: 0.125 / 1e6,
  dynamodbWriteUnit: 0.625 / 1e6,
  // Valkey, serverless: one unit for each kilobyte of each command; a script of more work takes more.
  cacheUnit: 0.0023 / 1e6,
  logByte: 0.5 / 1e9,
};

const encoder = new TextEncoder();

/** `spent` of a function's own line, or nothing. */
export function told(record) {
  for (const line of record.log.toReversed()) {
    if (!line.startsWith('{')) continue;
    try {
      const told = JSON.parse(line);
      if ('code' in told) return told;
    } catch {
      // Cut off, or something else that only looks like JSON.
    }
  }
  return null;
}

/** The lines of a bill for one invocation: what, how much, of which unit, and what that costs. */
export function bill(record, memoryMb) {
  const spent = told(record)?.spent ?? {};
  // Lambda bills whole milliseconds, those of init included.
  const billedMs = Math.ceil(record.duration_ms + (record.init_ms ?? 0));
  const bytes = record.log.reduce((sum, line) => sum + encoder.encode(line).length + 1, 0);
  const gbSeconds = (memoryMb / 1024) * (billedMs / 1000);
  const isHttp = record.front_ms !== null;
  const lines = [
    ['cost_gateway', isHttp ? 1 : 0, '', PRICES.httpApiRequest],
    ['cost_request', 1, '', PRICES.lambdaRequest],
    ['cost_compute', gbSeconds, `${billedMs} ms × ${memoryMb} MB`, PRICES.lambdaGbSecond],
    ['cost_read', spent.read_units ?? 0, '', PRICES.dynamodbReadUnit],
    ['cost_write', spent.write_units ?? 0, '', PRICES.dynamodbWriteUnit],
    ['cost_cache', spent.redis ?? 0, '', PRICES.cacheUnit],
    ['cost_log', bytes, `${bytes} B`, PRICES.logByte],
  ];
  return lines
    .filter(([, amount]) => amount > 0)
    .map(([what, amount, note, price]) => ({ what, amount, note: note || `${amount}`, cost: amount * price }));
}
