import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { SERVICE_ACCOUNTS } from '../../generated/resources.ts';
import { defineKind } from '../../registry/kind.ts';

export const serviceAccounts = defineKind(SERVICE_ACCOUNTS, {
  strategy: {},
  columns: [
    nameColumn,
    column('Secrets', 'How many secrets the account lists.', (account) => String(account.secrets?.length ?? 0)),
    ageColumn,
  ],
});
