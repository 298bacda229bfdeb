import type { CertificateSigningRequest, V1beta1ClusterTrustBundle } from '#api/generated/types.ts';
import { deepEqual } from '#machinery/codec/deep.ts';
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from '../pipeline/types.ts';
import { readSigningRequest } from '../pki/signing-request.ts';
import { isResource, refuse } from './plugin.ts';

const GROUP = 'certificates.k8s.io';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';

/**
 * Who may approve, sign and vouch for a signer's certificates: those with the verbs `approve`, `sign` and `attest` on
 * the signer's name, or on all names of its domain. Upstream's plugins CertificateApproval, CertificateSigning,
 * CertificateSubjectRestriction and ClusterTrustBundleAttest.
 */
export function certificateSigners(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigners',
    validate: async (request) => {
      if (request.operation !== 'CREATE' && request.operation !== 'UPDATE') return;
      if (isResource(request, GROUP, 'certificatesigningrequests')) await checkRequest(request, authorizer);
      if (isResource(request, GROUP, 'clustertrustbundles')) await checkBundle(request, authorizer);
    },
  };
}

async function checkRequest(request: AdmissionRequest, authorizer: Authorizer): Promise<void> {
  // Safe: requests for this resource carry its kind.
  const next = request.object as CertificateSigningRequest;
  const old = request.oldObject as CertificateSigningRequest | undefined;
  if (request.info.subresource === '') {
    if (request.operation === 'CREATE') checkSubject(request, next);
    return;
  }
  const signerName = (old ?? next).spec.signerName;
  if (request.info.subresource === 'approval') {
    if (await mayUse(request, { verb: 'approve', signerName, authorizer })) return;
    throw refuse(request, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
  }
  if (request.info.subresource !== 'status' || isSameIssue(next, old)) return;
  if (await mayUse(request, { verb: 'sign', signerName, authorizer })) return;
  throw refuse(request, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
}

/** A status that neither issues nor gives up needs no right to sign. */
function isSameIssue(next: CertificateSigningRequest, old: CertificateSigningRequest | undefined): boolean {
  const issue = (request: CertificateSigningRequest | undefined) => ({
    certificate: request?.status?.certificate ?? '',
    failures: (request?.status?.conditions ?? []).filter(({ type }) => type === 'Failed'),
  });
  return deepEqual(issue(next), issue(old));
}

function checkSubject(request: AdmissionRequest, { spec }: CertificateSigningRequest): void {
  if (spec.signerName !== CLIENT_SIGNER) return;
  let organizations: readonly string[];
  try {
    organizations = readSigningRequest(Buffer.from(spec.request, 'base64').toString('latin1')).organizations;
  } catch (error) {
    // What is no request is refused by the kind's own rules.
    if (error instanceof RangeError) return;
    throw error;
  }
  if (!organizations.includes(MASTERS)) return;
  throw refuse(request, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
}

async function checkBundle(request: AdmissionRequest, authorizer: Authorizer): Promise<void> {
  // Safe: as above.
  const next = request.object as V1beta1ClusterTrustBundle;
  const old = request.oldObject as V1beta1ClusterTrustBundle | undefined;
  const { signerName = '' } = next.spec;
  if (signerName === '' || (old !== undefined && deepEqual(old.spec, next.spec))) return;
  if (await mayUse(request, { verb: 'attest', signerName, authorizer })) return;
  throw refuse(request, `user not permitted to attest for signerName ${JSON.stringify(signerName)}`);
}

async function mayUse(
  { user }: AdmissionRequest,
  { verb, signerName, authorizer }: { verb: string; signerName: string; authorizer: Authorizer },
): Promise<boolean> {
  const domain = signerName.split('/')[0] ?? '';
  for (const name of [signerName, `${domain}/*`]) {
    const decision = await authorizer.authorize({
      user,
      verb,
      isResourceRequest: true,
      group: GROUP,
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
      path: '',
    });
    if (decision.type === 'allow') return true;
  }
  return false;
}
