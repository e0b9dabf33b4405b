// AWS list prices in US dollars, without the free tier and volume discounts. A test compares them with
// infra/cost/prices.toml, which names the source of each.

export const PRICES = {
  date: '2026-11-25',
  region: 'us-east-1',
  lambdaRequest: 0.2 / 1e6,
  // ARM, like the deployed functions.
  lambdaGbSecond: 0.0000133334,
  httpApiRequest: 1.0 / 1e6,
  dynamodbReadUnit: 0.125 / 1e6,
  dynamodbWriteUnit: 0.625 / 1e6,
  // Valkey, serverless: one unit per kilobyte of a command; a long script uses more.
  cacheUnit: 0.0023 / 1e6,
  logByte: 0.5 / 1e9,
};

const encoder = new TextEncoder();

/** The last log line of a function that has a `code`, or null. */
export function logRecord(record) {
  for (const line of record.log.toReversed()) {
    if (!line.startsWith('{')) continue;
    try {
      const fields = JSON.parse(line);
      if ('code' in fields) return fields;
    } catch {
      // Truncated, or not JSON.
    }
  }
  return null;
}

/** The bill of one invocation: item, amount, note and cost. */
export function bill(record, memoryMb) {
  const spent = logRecord(record)?.spent ?? {};
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
