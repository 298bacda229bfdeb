import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { SERVICE_ACCOUNTS } from '../../generated/resources.ts';
import type { ServiceAccount } from '../../generated/types.ts';
import { defineKind } from '../../registry/kind.ts';

const ENFORCE = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccounts = defineKind(SERVICE_ACCOUNTS, {
  strategy: {
    prepareForCreate: keepNames,
    prepareForUpdate: (next) => {
      keepNames(next);
    },
    warnings({ metadata }, current) {
      const isNew =
        metadata.annotations?.[ENFORCE] !== undefined && current?.metadata.annotations?.[ENFORCE] === undefined;
      if (!isNew) return [];
      return [
        `metadata.annotations[${ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
      ];
    },
  },
  columns: [
    nameColumn,
    column('Secrets', 'How many secrets the account lists.', (account) => account.secrets?.length ?? 0),
    ageColumn,
  ],
});

/** Of the references to secrets only their names are of use. */
function keepNames(account: ServiceAccount): void {
  if (account.secrets === undefined) return;
  account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}
