import type { AuditHook } from '../../server-parts.ts';
import type { Stage } from '../types.ts';
import { toStatusError } from '../../errors.ts';

/** Tells the audit hook of every request when it arrives and when it is answered. */
export function audit(hook: AuditHook | undefined): Stage {
  return async (context, next) => {
    if (hook === undefined) return next();
    hook.received(context);
    try {
      const response = await next();
      hook.answered(context, response.type === 'upgrade' ? 101 : response.status);
      return response;
    } catch (error) {
      hook.answered(context, toStatusError(error).code);
      throw error;
    }
  };
}
