import type { ApiResponse, Handler, RequestContext, Stage } from './types.ts';

/** One function that runs the stages in order, the last of them calling `handler`. */
export function compose(stages: readonly Stage[], handler: Handler): Handler {
  return stages.reduceRight<Handler>(
    (next, stage) =>
      (context: RequestContext): Promise<ApiResponse> =>
        stage(context, () => next(context)),
    handler,
  );
}
