import { describe, expect, test } from 'vitest';
import { parseRequestInfo } from './request-info.ts';

describe('parseRequestInfo', () => {
  test.each([
    ['GET', '/api/v1/namespaces/default/pods/web', 'get  v1 pods// default web'],
    ['GET', '/api/v1/namespaces/default/pods', 'list  v1 pods// default '],
    ['GET', '/api/v1/pods?watch=true', 'watch  v1 pods//  '],
    ['GET', '/api/v1/pods?watch=0', 'list  v1 pods//  '],
    ['GET', '/api/v1/watch/namespaces/default/pods', 'watch  v1 pods// default '],
    ['POST', '/apis/apps/v1/namespaces/a/deployments', 'create apps v1 deployments// a '],
    ['PUT', '/apis/apps/v1/namespaces/a/deployments/b/scale', 'update apps v1 deployments/scale/ a b'],
    ['PATCH', '/api/v1/nodes/n/status', 'patch  v1 nodes/status/  n'],
    ['DELETE', '/api/v1/namespaces/a/pods', 'deletecollection  v1 pods// a '],
    ['DELETE', '/api/v1/namespaces/a/pods/b', 'delete  v1 pods// a b'],
    ['GET', '/api/v1/namespaces/a', 'get  v1 namespaces// a a'],
    ['PUT', '/api/v1/namespaces/a/finalize', 'update  v1 namespaces/finalize/ a a'],
    ['GET', '/api/v1/namespaces/a/pods/b/proxy/x/y', 'get  v1 pods/proxy/x/y a b'],
    ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dweb', 'list  v1 pods//  web'],
  ])('%s %s', (method, url, expected) => {
    const { pathname, searchParams } = new URL(url, 'https://server');
    const info = parseRequestInfo({ method, path: pathname, query: searchParams });
    const { verb, group, version, resource, subresource, rest, namespace, name } = info;
    expect(info.isResourceRequest).toBe(true);
    expect(`${verb} ${group} ${version} ${resource}/${subresource}/${rest.join('/')} ${namespace} ${name}`).toBe(
      expected,
    );
  });

  test.each(['/', '/api', '/api/v1', '/apis/apps/v1', '/healthz', '/openapi/v3/api/v1'])(
    '%s is no resource',
    (path) => {
      const info = parseRequestInfo({ method: 'GET', path, query: new URLSearchParams() });
      expect(info).toMatchObject({ isResourceRequest: false, verb: 'get', path });
    },
  );
});
