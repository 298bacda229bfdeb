import type { Container, HTTPGetAction, IntOrString } from '#api/generated/types.ts';
import type { HttpTarget } from './contract.ts';

/** A port by number or by the container's own name for it. */
export function resolvePort(port: IntOrString, container: Container): number | string {
  const named = typeof port === 'string' ? container.ports?.find((one) => one.name === port)?.containerPort : undefined;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  return typeof port === 'string' && !/^\d+$/.test(port)
    ? `couldn't find port: "${port}"`
    : `invalid port number: ${String(port)}`;
}

/** Where an httpGet action goes, or why it cannot. */
export function httpTarget(
  action: HTTPGetAction,
  options: { container: Container; podIp: string; userAgent: string },
): HttpTarget | string {
  const port = resolvePort(action.port, options.container);
  if (typeof port === 'string') return port;
  const path = action.path ?? '/';
  return {
    scheme: action.scheme?.toUpperCase() === 'HTTPS' ? 'https' : 'http',
    host: action.host === undefined || action.host === '' ? options.podIp : action.host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: action.httpHeaders ?? [],
    userAgent: options.userAgent,
  };
}
