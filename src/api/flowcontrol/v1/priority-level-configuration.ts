import { deepEqual } from '#machinery/codec/deep.ts';
import { type FieldError, forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import { ageColumn, column, nameColumn } from '../../columns/common.ts';
import { PRIORITY_LEVEL_CONFIGURATIONS } from '../../generated/resources.ts';
import type {
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../../generated/types.ts';
import { statusRules } from '../../registry/carry-over.ts';
import { defineKind } from '../../registry/kind.ts';
import { checkNotNegative, type FieldErrors } from '../../validation/basics.ts';
import { MANDATORY_LEVELS } from './bootstrap.ts';
import { conditionErrors } from './flow-schema.ts';
import { partly } from '../../validation/partly.ts';

const specPath = new FieldPath('spec');
const QUEUES_MAX = 10_000_000;
/** A request's place among the queues is dealt from a hash of this many bits. */
const HASH_BITS_MAX = 60;
const DEFAULT_SHARES = 30;

export const priorityLevelConfigurations = defineKind(PRIORITY_LEVEL_CONFIGURATIONS, {
  strategy: {
    ...statusRules,
    hasGeneration: true,
    applyDefaults: setDefaults,
    validate,
    validateUpdate: (next) => validate(next),
    validateStatusUpdate: ({ status }) => conditionErrors(status?.conditions ?? []),
  },
  columns: [
    nameColumn,
    column(
      'Type',
      'type indicates whether this priority level is subject to limitation on request execution.',
      ({ spec }) => spec?.type ?? '',
    ),
    column(
      'NominalConcurrencyShares',
      "nominalConcurrencyShares contributes to the computation of the level's concurrency limit.",
      ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? spec?.exempt?.nominalConcurrencyShares ?? '<none>',
    ),
    column('Queues', 'queues is the number of queues of the level.', (level) => queuingOf(level)?.queues ?? '<none>'),
    column(
      'HandSize',
      'handSize is how many queues a flow is dealt.',
      (level) => queuingOf(level)?.handSize ?? '<none>',
    ),
    column(
      'QueueLengthLimit',
      'queueLengthLimit is how many requests may wait in one queue.',
      (level) => queuingOf(level)?.queueLengthLimit ?? '<none>',
    ),
    ageColumn,
  ],
});

function queuingOf({ spec }: PriorityLevelConfiguration): QueuingConfiguration | undefined {
  return spec?.limited?.limitResponse?.queuing;
}

function setDefaults({ spec }: PriorityLevelConfiguration): void {
  const { limited, exempt } = spec ?? {};
  if (spec?.type === 'Exempt' && exempt === undefined) spec.exempt = {};
  if (spec?.exempt !== undefined) {
    spec.exempt.nominalConcurrencyShares ??= 0;
    spec.exempt.lendablePercent ??= 0;
  }
  if (limited === undefined) return;
  limited.nominalConcurrencyShares ??= DEFAULT_SHARES;
  limited.lendablePercent ??= 0;
  const queuing = limited.limitResponse?.queuing;
  if (queuing === undefined) return;
  queuing.handSize ||= 8;
  queuing.queues ||= 64;
  queuing.queueLengthLimit ||= 50;
}

function validate({ metadata, spec, status }: PriorityLevelConfiguration): FieldError[] {
  const errors: FieldErrors = [];
  const { type = '', limited, exempt } = partly(spec);
  if ((metadata.name === 'exempt') !== (type === 'Exempt')) {
    errors.push(invalidValue(specPath.child('type'), type, "type must be 'Exempt' if and only if name is 'exempt'"));
  }
  switch (type) {
    case 'Exempt':
      if (limited !== undefined) {
        errors.push(forbiddenValue(specPath.child('limited'), 'must be nil if the type is not Limited'));
      }
      checkNotNegative(exempt?.nominalConcurrencyShares, specPath.child('exempt', 'nominalConcurrencyShares'), errors);
      checkPercent(exempt?.lendablePercent, specPath.child('exempt', 'lendablePercent'), errors);
      break;
    case 'Limited':
      if (exempt !== undefined) {
        errors.push(forbiddenValue(specPath.child('exempt'), 'must be nil if the type is Limited'));
      }
      if (limited === undefined) {
        errors.push(required(specPath.child('limited'), 'must not be empty when type is Limited'));
      } else checkLimited(limited, specPath.child('limited'), errors);
      break;
    default:
      errors.push(notSupported(specPath.child('type'), type, ['Exempt', 'Limited']));
  }
  const mandatory = MANDATORY_LEVELS.find((one) => one.metadata.name === metadata.name);
  // How much of the exempt level others may borrow is the administrator's to say.
  const compared = metadata.name === 'exempt' ? { ...spec, exempt: mandatory?.spec?.exempt } : spec;
  if (mandatory !== undefined && !deepEqual(mandatory.spec, compared)) {
    errors.push(invalidValue(specPath, spec, `spec of '${metadata.name ?? ''}' must equal the fixed value`));
  }
  return [...errors, ...conditionErrors(status?.conditions ?? [])];
}

function checkPercent(value: number | undefined, path: FieldPath, errors: FieldErrors): void {
  if (value !== undefined && (value < 0 || value > 100)) {
    errors.push(invalidValue(path, value, 'must be between 0 and 100, inclusive'));
  }
}

function checkLimited(limited: LimitedPriorityLevelConfiguration, path: FieldPath, errors: FieldErrors): void {
  const { nominalConcurrencyShares: shares, lendablePercent, borrowingLimitPercent: borrowing } = limited;
  if (shares !== undefined && shares < 0) {
    errors.push(invalidValue(path.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer'));
  }
  checkPercent(lendablePercent, path.child('lendablePercent'), errors);
  if (borrowing !== undefined && borrowing < 0) {
    errors.push(
      invalidValue(path.child('borrowingLimitPercent'), borrowing, 'if specified, must be a non-negative integer'),
    );
  }
  checkResponse(limited.limitResponse, path.child('limitResponse'), errors);
}

function checkResponse(response: LimitResponse | undefined, path: FieldPath, errors: FieldErrors): void {
  const { type = '', queuing } = partly(response);
  const at = path.child('queuing');
  switch (type) {
    case 'Reject':
      if (queuing !== undefined) {
        errors.push(forbiddenValue(at, 'must be nil if limited.limitResponse.type is not Limited'));
      }
      break;
    case 'Queue':
      if (queuing === undefined) {
        errors.push(required(at, 'must not be empty if limited.limitResponse.type is Limited'));
      } else checkQueuing(queuing, at, errors);
      break;
    default:
      errors.push(notSupported(path.child('type'), type, ['Queue', 'Reject']));
  }
}

function checkQueuing(queuing: QueuingConfiguration, path: FieldPath, errors: FieldErrors): void {
  const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing;
  const positive = 'must be positive';
  if (queueLengthLimit <= 0) errors.push(invalidValue(path.child('queueLengthLimit'), queueLengthLimit, positive));
  if (queues <= 0) errors.push(invalidValue(path.child('queues'), queues, positive));
  else if (queues > QUEUES_MAX) {
    errors.push(invalidValue(path.child('queues'), queues, `must not be greater than ${QUEUES_MAX}`));
  }
  const at = path.child('handSize');
  if (handSize <= 0) errors.push(invalidValue(at, handSize, positive));
  else if (handSize > queues) {
    errors.push(invalidValue(at, handSize, `should not be greater than queues (${queues})`));
  } else if (entropyBits(queues, handSize) > HASH_BITS_MAX) {
    const detail = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${HASH_BITS_MAX}`;
    errors.push(invalidValue(at, handSize, detail));
  }
}

/** Bits that dealing `handSize` of `queues` without putting back takes. */
function entropyBits(queues: number, handSize: number): number {
  let bits = 0;
  for (let dealt = 0; dealt < handSize; dealt += 1) {
    bits += Math.log2(queues - dealt);
    if (bits > HASH_BITS_MAX) break;
  }
  return Math.ceil(bits);
}
