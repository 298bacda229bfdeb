import type { Job } from '../../generated/types.ts';

export const CONTROLLER_UID_LABEL = 'batch.kubernetes.io/controller-uid';

/** The labels that tie pods to a job, under their newer and their older names. */
export function jobLabels({ metadata }: Job): Record<string, string> {
  const { uid = '', name = '' } = metadata;
  return {
    'controller-uid': uid,
    'job-name': name,
    [CONTROLLER_UID_LABEL]: uid,
    'batch.kubernetes.io/job-name': name,
  };
}
