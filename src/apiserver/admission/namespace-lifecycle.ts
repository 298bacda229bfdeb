import type { Namespace } from '#api/generated/types.ts';
import { forbidden, notFound } from '#machinery/errors/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../pipeline/types.ts';
import type { AdmissionDeps } from './plugin.ts';

const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);
const REVIEW_GROUP = 'authorization.k8s.io';

/** Nothing is created in a namespace that does not exist or is being deleted; three namespaces stay for ever. */
export function namespaceLifecycle({ view }: Pick<AdmissionDeps, 'view'>): AdmissionPlugin {
  const check = (request: AdmissionRequest) => {
    const { info, operation } = request;
    const isNamespace = info.group === '' && info.resource === 'namespaces';
    if (isNamespace) {
      if (operation === 'DELETE' && info.subresource === '' && IMMORTAL.has(info.name)) {
        throw forbidden({ group: '', resource: 'namespaces', name: info.name }, 'this namespace may not be deleted');
      }
      return;
    }
    if (info.namespace === '' || operation === 'DELETE' || info.group === REVIEW_GROUP) return;
    // Safe: the view holds Namespaces.
    const namespace = view('', 'namespaces').get(info.namespace) as Namespace | undefined;
    if (namespace === undefined) throw notFound({ group: '', resource: 'namespaces', name: info.namespace });
    const isTerminating =
      namespace.status?.phase === 'Terminating' || namespace.metadata.deletionTimestamp !== undefined;
    if (operation === 'CREATE' && isTerminating) throw terminating(request);
  };
  return {
    name: 'NamespaceLifecycle',
    mutate: check,
    // Nothing is mutated on the way out: deletions are only validated.
    validate: (request) => {
      if (request.operation === 'DELETE') check(request);
    },
  };
}

function terminating({ info, object }: AdmissionRequest) {
  const { group, resource, namespace } = info;
  const name = info.name === '' ? (object?.metadata.name ?? '') : info.name;
  const error = forbidden(
    { group, resource, name },
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  error.status.details = {
    ...error.status.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  };
  return error;
}
