import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Clock } from '#machinery/clock/clock.ts';
import { SeededRandom } from '#machinery/random/seeded-random.ts';
import { FakeViews } from '../admission/fake-views.ts';
import type { ApiRequest } from '../pipeline/types.ts';
import { issueCertificate } from '../pki/certificate.ts';
import { bootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { seededSigningKey, signingKey, signJwt, toJwk, verifyJwt } from './jwt.ts';
import { requestHeaderAuthenticator } from './request-header.ts';
import { ServiceAccountAuthenticator } from './service-account.ts';
import { TokenIssuer } from './service-account-tokens.ts';
import { parseTokenFile, staticTokenAuthenticator } from './static-token.ts';
import { unionAuthenticator, unknownTokenAuthenticator } from './union.ts';
import { x509Authenticator } from './x509.ts';

const START_MS = 1_790_000_000_000;
const random = new SeededRandom('tokens');
let nowMs = START_MS;
// Only the time of day is asked for here.
const clock = { now: () => nowMs } as Clock;

function request(headers: Record<string, string> = {}, extra: Partial<ApiRequest> = {}): ApiRequest {
  return {
    method: 'GET',
    path: '/',
    query: new URLSearchParams(),
    headers,
    readBody: async () => new Uint8Array(),
    signal: new AbortController().signal,
    ...extra,
  };
}

const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const bearer = (token: string) => request({ authorization: `Bearer ${token}` });
const pem = (type: 'ec' | 'rsa') =>
  type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

describe('JWT', () => {
  test.each([
    ['ES256', () => signingKey(pem('ec'))],
    ['RS256', () => signingKey(pem('rsa'))],
    ['EdDSA', () => seededSigningKey(new Uint8Array(32).fill(7))],
  ] as const)('%s tokens verify with their key and with no other', (algorithm, makeKey) => {
    const key = makeKey();
    const token = signJwt({ hello: 'world' }, key);
    expect(verifyJwt(token, [key.verification])).toEqual({ hello: 'world' });
    expect(verifyJwt(token, [signingKey(pem('ec')).verification])).toBeUndefined();
    const [head, , signature] = token.split('.');
    const forged = `${head}.${Buffer.from('{"hello":"root"}').toString('base64url')}.${signature}`;
    expect(verifyJwt(forged, [key.verification])).toBeUndefined();
    expect(toJwk(key.verification)).toMatchObject({ use: 'sig', alg: algorithm, kid: key.verification.id });
  });

  test('a seeded key signs the same way twice', () => {
    const seed = new Uint8Array(32).fill(3);
    expect(signJwt({ a: 1 }, seededSigningKey(seed))).toBe(signJwt({ a: 1 }, seededSigningKey(seed)));
  });

  test('an unsigned token is no token', () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const key = seededSigningKey(new Uint8Array(32)).verification;
    expect(verifyJwt(`${part({ alg: 'none' })}.${part({ a: 1 })}.`, [key])).toBeUndefined();
    expect(verifyJwt('rubbish', [key])).toBeUndefined();
  });
});

describe('ServiceAccountAuthenticator', () => {
  const issuer = 'https://issuer.test';

  function setUp() {
    nowMs = START_MS;
    const views = new FakeViews();
    const object = (kind: string, name: string, uid: string) => ({
      kind,
      apiVersion: 'v1',
      metadata: { name, uid, namespace: 'a' },
    });
    views.put('', 'serviceaccounts', object('ServiceAccount', 'robot', 'sa-1'));
    views.put('', 'pods', object('Pod', 'p', 'pod-1'));
    const key = seededSigningKey(new Uint8Array(32).fill(1));
    const tokens = new TokenIssuer({ issuer, key, clock, random });
    const authenticator = new ServiceAccountAuthenticator({
      issuer,
      keys: [key.verification],
      audiences: [issuer],
      clock,
      view: (resource) => views.view('', resource),
    });
    const issue = (options: { audiences?: string[]; uid?: string } = {}) =>
      tokens.issue({
        namespace: 'a',
        serviceAccount: { name: 'robot', uid: options.uid ?? 'sa-1' },
        bound: { pod: { name: 'p', uid: 'pod-1' }, node: { name: 'n1', uid: 'node-1' } },
        audiences: options.audiences ?? [issuer],
        lifetimeSeconds: 600,
      });
    return { views, authenticator, issue, object };
  }

  test('knows the account and what its token is bound to', async () => {
    const { authenticator, issue } = setUp();
    const user = await authenticator.authenticate(bearer(issue()));
    expect(user).toMatchObject({
      username: 'system:serviceaccount:a:robot',
      uid: 'sa-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:a'],
      extra: {
        'authentication.kubernetes.io/node-name': ['n1'],
        'authentication.kubernetes.io/pod-name': ['p'],
        'authentication.kubernetes.io/pod-uid': ['pod-1'],
      },
    });
    expect(user?.extra?.['authentication.kubernetes.io/credential-id']?.[0]).toMatch(/^JTI=/);
  });

  test('refuses what has expired, was made for others, or outlived its objects', async () => {
    const { views, authenticator, issue, object } = setUp();
    const token = issue();
    await expect(authenticator.authenticate(bearer(issue({ audiences: ['vault'] })))).rejects.toThrow(
      'token audiences ["vault"] is invalid for the target audiences ["https://issuer.test"]',
    );
    await expect(authenticator.authenticate(bearer(issue({ uid: 'old' })))).rejects.toThrow('invalidated');
    await expect(authenticator.authenticate(bearer(`${token}x`))).rejects.toThrow('invalid bearer token');
    expect(await authenticator.authenticate(bearer(token))).toBeDefined();
    views.remove('', 'pods', object('Pod', 'p', 'pod-1'));
    await expect(authenticator.authenticate(bearer(token))).rejects.toThrow('invalidated');
    views.put('', 'pods', object('Pod', 'p', 'pod-1'));
    nowMs += 601_000;
    await expect(authenticator.authenticate(bearer(token))).rejects.toThrow('expired');
  });

  test('leaves tokens of others alone', async () => {
    const { authenticator } = setUp();
    expect(await authenticator.authenticate(bearer('abc'))).toBeUndefined();
    expect(await authenticator.authenticate(request())).toBeUndefined();
  });
});

describe('certificates', () => {
  const lifetime = { notBeforeMs: START_MS - 1000, notAfterMs: START_MS + 1_000_000 };
  const ca = issueCertificate({ commonName: 'ca', use: 'ca', ...lifetime }, { random });
  const proxyCa = issueCertificate({ commonName: 'proxy-ca', use: 'ca', ...lifetime }, { random });
  const client = (issuer: typeof ca, commonName: string, organizations: string[] = []) => {
    const subject = { commonName, organizations, use: 'client', ...lifetime } as const;
    return { clientCertificate: der(issueCertificate(subject, { issuer, random }).certificate) };
  };

  test('x509Authenticator reads user and groups, and looks at the time on each request', async () => {
    nowMs = START_MS;
    const authenticator = x509Authenticator({ clientCa: ca.certificate, clock });
    const alice = request({}, client(ca, 'alice', ['dev', 'ops']));
    expect(await authenticator.authenticate(alice)).toMatchObject({ username: 'alice', groups: ['dev', 'ops'] });
    expect(await authenticator.authenticate(request({}, client(proxyCa, 'mallory')))).toBeUndefined();
    expect(await authenticator.authenticate(request())).toBeUndefined();
    const refused = request({}, { clientCertificateError: 'CERT_HAS_EXPIRED' });
    await expect(authenticator.authenticate(refused)).rejects.toThrow('Unauthorized');
    nowMs = START_MS + 2_000_000;
    await expect(authenticator.authenticate(alice)).rejects.toThrow('Unauthorized');
  });

  test('requestHeaderAuthenticator believes only the front proxy', async () => {
    const authenticator = requestHeaderAuthenticator({ ca: proxyCa.certificate, allowedNames: ['front-proxy-client'] });
    const headers = {
      'x-remote-user': 'bob',
      'x-remote-group': 'dev, ops',
      'x-remote-extra-scopes': 'a',
    };
    expect(await authenticator.authenticate(request(headers, client(proxyCa, 'front-proxy-client')))).toEqual({
      username: 'bob',
      groups: ['dev', 'ops'],
      extra: { scopes: ['a'] },
    });
    expect(await authenticator.authenticate(request(headers, client(proxyCa, 'someone')))).toBeUndefined();
    expect(await authenticator.authenticate(request(headers, client(ca, 'front-proxy-client')))).toBeUndefined();
    expect(await authenticator.authenticate(request(headers))).toBeUndefined();
  });
});

describe('tokens from files and secrets', () => {
  test('parseTokenFile reads users with groups', async () => {
    const tokens = parseTokenFile('# comment\nabc,alice,1,"dev,ops"\nxyz,bob,2\n');
    const authenticator = staticTokenAuthenticator(tokens);
    expect(await authenticator.authenticate(bearer('abc'))).toEqual({
      username: 'alice',
      uid: '1',
      groups: ['dev', 'ops'],
    });
    expect(await authenticator.authenticate(bearer('abd'))).toBeUndefined();
    expect(() => parseTokenFile('x\n')).toThrow('line 1');
  });

  test('bootstrapTokenAuthenticator knows joining nodes until their token expires', async () => {
    nowMs = START_MS;
    const views = new FakeViews();
    const encode = (text: string) => Buffer.from(text).toString('base64');
    views.put('', 'secrets', {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      data: {
        'token-id': encode('abcdef'),
        'token-secret': encode('0123456789abcdef'),
        'usage-bootstrap-authentication': encode('true'),
        'auth-extra-groups': encode('system:bootstrappers:kubeadm:default-node-token'),
        expiration: encode('2026-09-22T00:00:00Z'),
      },
    } as never);
    const authenticator = bootstrapTokenAuthenticator({ secrets: views.view('', 'secrets'), clock });
    expect(await authenticator.authenticate(bearer('abcdef.0123456789abcdef'))).toEqual({
      username: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token'],
    });
    await expect(authenticator.authenticate(bearer('abcdef.0123456789abcdeX'))).resolves.toBeUndefined();
    await expect(authenticator.authenticate(bearer('abcdef.0123456789abcde0'))).rejects.toThrow('Unauthorized');
    nowMs = START_MS + 86_400_000 * 30;
    await expect(authenticator.authenticate(bearer('abcdef.0123456789abcdef'))).rejects.toThrow('Unauthorized');
  });
});

describe('unionAuthenticator', () => {
  test('adds the authenticated group, tells missing from refused credentials', async () => {
    const union = unionAuthenticator([
      staticTokenAuthenticator(new Map([['abc', { username: 'alice', groups: [] }]])),
      unknownTokenAuthenticator,
    ]);
    expect(await union.authenticate(bearer('abc'))).toEqual({ username: 'alice', groups: ['system:authenticated'] });
    expect(await union.authenticate(request())).toBeUndefined();
    await expect(union.authenticate(bearer('nope'))).rejects.toMatchObject({ code: 401 });
  });
});
