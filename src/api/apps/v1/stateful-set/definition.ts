import { ageColumn, column, nameColumn } from '../../../columns/common.ts';
import { containerColumns } from '../../../columns/containers.ts';
import { defaultPodTemplate } from '../../../core/v1/pod/defaults.ts';
import { claimSpecWarnings } from '../../../core/v1/volumes/claim-warnings.ts';
import { defaultClaimSpec } from '../../../core/v1/pod/volume-defaults.ts';
import { STATEFUL_SETS } from '../../../generated/resources.ts';
import type { StatefulSet } from '../../../generated/types.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { labelName } from '../../../validation/name-rules.ts';
import { workloadWarnings } from '../pod-template.ts';
import { validateStatefulSet, validateStatefulSetStatus, validateStatefulSetUpdate } from './validation.ts';

export const statefulSets = defineKind(STATEFUL_SETS, {
  strategy: {
    hasGeneration: true,
    applyDefaults,
    prepareForCreate(next) {
      next.status = { replicas: 0, availableReplicas: 0 };
      delete next.spec.updateStrategy?.rollingUpdate?.maxUnavailable;
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      // A feature that is off by default (KEP-961).
      const isInUse = current.spec.updateStrategy?.rollingUpdate?.maxUnavailable !== undefined;
      if (!isInUse) delete next.spec.updateStrategy?.rollingUpdate?.maxUnavailable;
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate: (next) => validateStatefulSet(next),
    validateUpdate: validateStatefulSetUpdate,
    validateStatusUpdate: validateStatefulSetStatus,
    validateName: labelName,
    warnings,
    scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
  },
  columns: [
    nameColumn,
    column(
      'Ready',
      'Number of the pod with ready state',
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`,
    ),
    ageColumn,
    ...containerColumns<StatefulSet>(({ spec }) => spec.template.spec),
  ],
});

function applyDefaults(set: StatefulSet): void {
  const { spec } = set;
  defaultPodTemplate((spec.template ??= {}));
  spec.podManagementPolicy ||= 'OrderedReady';
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ||= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    strategy.rollingUpdate ??= {};
    strategy.rollingUpdate.partition ??= 0;
  }
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ||= 'Retain';
  retention.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    claim.spec ??= {};
    defaultClaimSpec(claim.spec);
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
}

function warnings(next: StatefulSet, current: StatefulSet | undefined): string[] {
  const texts = workloadWarnings(next, current);
  for (const [index, { spec }] of (next.spec.volumeClaimTemplates ?? []).entries()) {
    // The paths are upstream's, which differ.
    texts.push(
      ...claimSpecWarnings(spec, `spec.volumeClaimTemplates[${index}]${current === undefined ? '' : '.Spec'}`),
    );
  }
  if ((next.spec.revisionHistoryLimit ?? 0) < 0) {
    texts.push(
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    );
  }
  return texts;
}
