import { SERVICES } from '../../../generated/resources.ts';
import { carryOver } from '../../../registry/carry-over.ts';
import { defineKind } from '../../../registry/kind.ts';
import { labelName } from '../../../validation/name-rules.ts';
import { alignClusterIps, dropOtherTypesFields, keepAllocated } from './allocated.ts';
import { serviceColumns } from './columns.ts';
import { defaultService } from './defaults.ts';
import { validateServiceStatus } from './status.ts';
import { validateService, validateServiceUpdate } from './validation.ts';
import { serviceWarnings } from './warnings.ts';

export const services = defineKind(SERVICES, {
  strategy: {
    applyDefaults: defaultService,
    prepareForCreate(next) {
      next.status = { loadBalancer: {} };
      alignClusterIps(next, undefined);
    },
    prepareForUpdate(next, current) {
      carryOver(next, current, 'status');
      keepAllocated(next, current);
      alignClusterIps(next, current);
      dropOtherTypesFields(next, current);
    },
    prepareForStatusUpdate(next, current) {
      carryOver(next, current, 'spec');
    },
    validate: (next) => validateService(next),
    validateUpdate: validateServiceUpdate,
    validateStatusUpdate: validateServiceStatus,
    warnings: serviceWarnings,
    validateName: labelName,
    allowCreateOnUpdate: true,
  },
  columns: serviceColumns,
  selectableFields: {
    'spec.clusterIP': (service) => service.spec.clusterIP ?? '',
    'spec.type': (service) => service.spec.type ?? '',
  },
});
