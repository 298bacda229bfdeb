/** The annotation by which definitions in groups of the Kubernetes community say that their API was approved. */
export const API_APPROVED_ANNOTATION = 'api-approved.kubernetes.io';

const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111';

export interface ApiApproval {
  readonly state: 'approved' | 'bypassed' | 'missing' | 'invalid';
  readonly reason: string;
}

/** Groups that belong to the community: `k8s.io`, `kubernetes.io` and what is below them. */
export function isProtectedGroup(group: string): boolean {
  return /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);
}

/** What the annotation says, in upstream's words. */
export function apiApproval(annotations: Readonly<Record<string, string>> | undefined): ApiApproval {
  const text = annotations?.[API_APPROVED_ANNOTATION] ?? '';
  const name = JSON.stringify(API_APPROVED_ANNOTATION);
  if (text === '') {
    return { state: 'missing', reason: `protected groups must have approval annotation ${name}, ${SEE}` };
  }
  if (text.startsWith('unapproved')) return { state: 'bypassed', reason: `not approved: ${JSON.stringify(text)}` };
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/\s]+/.test(text)) return { state: 'approved', reason: `approved in ${text}` };
  const reason =
    `protected groups must have approval annotation ${name} with either a URL or a reason starting with ` +
    `"unapproved", ${SEE}`;
  return { state: 'invalid', reason };
}
