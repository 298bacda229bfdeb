import type { HealthMetrics } from '../metrics/health-metrics.ts';
import { isTrue, splitPath } from '../pipeline/request-info.ts';
import { type ApiResponse, type Handler, textResponse } from '../pipeline/types.ts';
import type { HealthCheck } from '../server-parts.ts';

type RunCheck = (check: HealthCheck, endpoint: string) => Promise<string | undefined>;

/** `/livez`, `/readyz` and the older `/healthz`, whole or one check each, with `verbose` and `exclude`. */
export function healthHandler(checks: readonly HealthCheck[], metrics: HealthMetrics): Handler {
  const run = async (check: HealthCheck, endpoint: string): Promise<string | undefined> => {
    const failure = await outcomeOf(check);
    metrics.observe(check.name, endpoint, failure === undefined);
    return failure;
  };
  return async ({ info, request }) => {
    const [endpoint = '', ...rest] = splitPath(info.path);
    const wanted = checks.filter(({ endpoints }) => endpoints.some((name) => name === endpoint));
    const single = rest.join('/');
    if (single === '') return all({ endpoint, checks: wanted, run }, request.query);
    const check = wanted.find(({ name }) => name === single);
    if (check === undefined) return textResponse(404, '404 page not found\n');
    const failure = await run(check, endpoint);
    if (failure === undefined) return textResponse(200, 'ok');
    return textResponse(500, `internal server error: ${failure}\n`);
  };
}

async function all(
  { endpoint, checks, run }: { endpoint: string; checks: readonly HealthCheck[]; run: RunCheck },
  query: URLSearchParams,
): Promise<ApiResponse> {
  const excluded = new Set(query.getAll('exclude'));
  const lines: string[] = [];
  let isHealthy = true;
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const failure = await run(check, endpoint);
    lines.push(failure === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    isHealthy &&= failure === undefined;
  }
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => JSON.stringify(name)).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  if (!isHealthy) return textResponse(500, `${lines.join('\n')}\n${endpoint} check failed\n`);
  const isVerbose = isTrue(query.get('verbose'));
  return textResponse(200, isVerbose ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok');
}

async function outcomeOf(check: HealthCheck): Promise<string | undefined> {
  try {
    return await check.check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
