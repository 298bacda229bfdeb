import { expect, test } from 'vitest';
import { VirtualClock } from '#machinery/clock/virtual-clock.ts';
import type { ApiRequest, ApiResponse, RequestContext } from '../../pipeline/types.ts';
import { flagzHandler } from './flagz.ts';
import { statuszHandler } from './statusz.ts';

// Safe: the handlers read nothing but the Accept header.
const asking = (accept?: string) =>
  ({ request: { headers: accept === undefined ? {} : { accept } } as unknown as ApiRequest }) as RequestContext;

function textOf(response: ApiResponse): string {
  return response.type === 'bytes' ? Buffer.concat(response.body).toString() : '';
}

test('statusz is text for people, and an object for who names its version', async () => {
  const clock = new VirtualClock();
  const serve = statuszHandler({ clock, paths: ['/healthz', '/statusz', '/api/'] });
  const text = textOf(await serve(asking()));
  expect(text).toMatch(/^\nkube-apiserver statusz\nWarning: .*debugging purposes only\.\n/);
  expect(text).toContain('\nUp: 0 hr 00 min 00 sec\n');
  expect(text).toContain('\nPaths: /healthz /statusz\n');
  const response = await serve(asking('application/json;as=Statusz;v=v1beta1;g=config.k8s.io'));
  expect(JSON.parse(textOf(response))).toMatchObject({
    kind: 'Statusz',
    apiVersion: 'config.k8s.io/v1beta1',
    metadata: { name: 'kube-apiserver' },
    uptimeSeconds: 0,
    emulationVersion: '1.36',
    paths: ['/healthz', '/statusz'],
  });
});

test('flagz lists the settings in order; a form that it does not have is not acceptable', async () => {
  const serve = flagzHandler({ 'secure-port': '6443', 'anonymous-auth': 'true' });
  expect(textOf(await serve(asking('text/plain')))).toMatch(/only\.\n\nanonymous-auth=true\nsecure-port=6443\n$/);
  const yaml = await serve(asking('application/yaml;as=Flagz;v=v1alpha1;g=config.k8s.io'));
  expect(textOf(yaml)).toContain('  secure-port: "6443"');
  expect(() => serve(asking('application/json'))).toThrow(/only the following media types/);
  expect(() => serve(asking('application/json;as=Flagz;v=v1;g=config.k8s.io'))).toThrow(
    /only the following media types/,
  );
});
