import { deepCopy } from '#machinery/codec/deep.ts';
import { forbidden } from '#machinery/errors/status-error.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import { attributesOf, forbiddenText } from '../pipeline/stages/authorization.ts';
import type { ApiResponse } from '../pipeline/types.ts';
import { type Call, targetOf } from './call.ts';
import { checkCreatable, matchName, matchNamespace } from './create.ts';
import { readObject } from './write/body.ts';
import { mainMode, type WriteMode } from './write/carry-over.ts';
import { createObject } from './write/create.ts';
import { type WriteOptions, writeOptions } from './write/options.ts';
import { type Outcome, respondOutcome } from './write/outcome.ts';
import { updateObject } from './write/update.ts';

/** PUT of one object. */
export function update(call: Call): Promise<ApiResponse> {
  return updateThrough(call, mainMode(call.definition));
}

/** PUT of one object through one of its subresources that takes the whole object. */
export async function updateThrough(
  call: Call,
  mode: WriteMode,
  check?: (live: KubeObject) => void,
): Promise<ApiResponse> {
  const options = writeOptions(call.context, { kind: 'UpdateOptions' });
  const object = await readObject(call, options.fieldValidation);
  matchName(call, object);
  matchNamespace(call, object);
  let status = 200;
  const createsAbsent = mode.subresource === '' && call.definition.strategy.allowCreateOnUpdate === true;
  const outcome = await updateObject(call, {
    name: call.context.info.name,
    mode,
    options,
    change: () => deepCopy(object),
    ...(check === undefined ? {} : { check }),
    ...(createsAbsent
      ? {
          whenAbsent: () => {
            status = 201;
            return createAbsent(call, deepCopy(object), options);
          },
        }
      : {}),
  });
  return respondOutcome(call, outcome, status);
}

/** Creates what an update or apply did not find; the user must be allowed to create, too. */
export async function createAbsent(
  call: Call,
  object: KubeObject,
  options: WriteOptions & { keepsManagedFields?: boolean },
): Promise<Outcome> {
  const attributes = { ...attributesOf(call.context), verb: 'create' };
  const decision = await call.core.authorizer.authorize(attributes);
  if (decision.type !== 'allow') throw forbidden(targetOf(call), forbiddenText(attributes, decision.reason));
  checkCreatable(call, object);
  return createObject(call, object, options);
}
