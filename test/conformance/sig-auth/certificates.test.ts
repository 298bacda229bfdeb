import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { exerciseApiOperations } from '../support/crud.ts';
import { type JsonObject, kindOf } from '../support/kinds.ts';

const SIGNING_REQUESTS = kindOf<JsonObject>(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
);

/** A request for a certificate of `CN=e2e-example`. */
const REQUEST = [
  '-----BEGIN CERTIFICATE REQUEST-----',
  'MIHRMHgCAQAwFjEUMBIGA1UEAwwLZTJlLWV4YW1wbGUwWTATBgcqhkjOPQIBBggq',
  'hkjOPQMBBwNCAAT9NoQ80k+2phZhs8wnd6kGEij2rmxR9bttB741LG4sWI4g2loJ',
  'kkYPnYrRS0gr6Gu2AYM/SEjzA8FyAhxpDH/XoAAwCgYIKoZIzj0EAwIDSQAwRgIh',
  'AOz6pShSKlEOgLt6mLRao2sryHIGV+Wv8M0RDH4pLjWTAiEAn0b+lpom0/TnTzqR',
  'P3byD2655TEbjRn7ZoFewuacPBo=',
  '-----END CERTIFICATE REQUEST-----',
  '',
].join('\n');

conformanceTest(
  '[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]',
  async ({ api, unique, after }) => {
    const body = {
      spec: {
        request: Buffer.from(REQUEST).toString('base64'),
        signerName: `example.com/${unique('e2e')}`,
        expirationSeconds: 3600,
        usages: ['digital signature', 'key encipherment', 'client auth'],
      },
    };
    await exerciseApiOperations(api, {
      kind: SIGNING_REQUESTS,
      body,
      unique,
    });
    const requests = api.of(SIGNING_REQUESTS);
    const name = unique('csr');
    after(() => requests.delete(name));
    const created = await requests.create({ metadata: { name }, ...body });
    expect(created['spec']).toMatchObject({ groups: expect.arrayContaining(['system:authenticated']) as unknown });
    expect((created['spec'] as { username?: string }).username).toBeTruthy();

    const condition = { type: 'Approved', status: 'True', reason: 'E2E', message: 'set by the test' };
    const approved = await requests.patch(name, { status: { conditions: [condition] } }, { subresource: 'approval' });
    expect(approved['status']).toMatchObject({ conditions: [{ type: 'Approved', status: 'True', reason: 'E2E' }] });
    const changed = await requests.change(
      name,
      (request) => {
        request['status'] = { conditions: [{ ...condition, message: 'changed' }] };
      },
      'approval',
    );
    expect(changed['status']).toMatchObject({ conditions: [{ type: 'Approved', message: 'changed' }] });
    const failed = { type: 'Failed', status: 'True', reason: 'E2E', message: 'no signer' };
    const signed = await requests.change(
      name,
      (request) => {
        const status = request['status'] as { conditions: object[] };
        request['status'] = { ...status, conditions: [...status.conditions, failed] };
      },
      'status',
    );
    expect(signed['status']).toMatchObject({ conditions: [{ type: 'Approved' }, { type: 'Failed' }] });
  },
);
