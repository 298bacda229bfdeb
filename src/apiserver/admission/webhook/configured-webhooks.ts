import { PolicyExpressions } from '#api/admissionregistration/v1/policy-expressions.ts';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '#api/generated/types.ts';
import { compilationErrorText } from '#machinery/cel/errors.ts';
import type { ResourceView } from '../../server-parts.ts';
import { type CompiledCondition, compileConditions } from '../policy/compiled-policy.ts';
import type { Matching } from '../policy/request-match.ts';

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** One webhook of a configuration, ready to be asked. */
export interface ConfiguredWebhook {
  /** Unique among all webhooks: configuration, name and which of that name. */
  readonly id: string;
  readonly configuration: string;
  readonly webhook: MutatingWebhook | ValidatingWebhook;
  readonly matching: Matching;
  /** Compiled at the first use. */
  readonly conditions: readonly CompiledCondition[];
}

/** The webhooks of all configurations, sorted by the configuration's name; built again when one of them changes. */
export class ConfiguredWebhooks {
  readonly #configurations: ResourceView;
  #webhooks: readonly ConfiguredWebhook[] | undefined;

  constructor(configurations: ResourceView) {
    this.#configurations = configurations;
    configurations.onChange(() => {
      this.#webhooks = undefined;
    });
  }

  all(): readonly ConfiguredWebhook[] {
    this.#webhooks ??= this.#configurations
      .list()
      .toSorted((a, b) => compareNames(a.metadata.name ?? '', b.metadata.name ?? ''))
      // Safe: the view holds configurations of webhooks.
      .flatMap((object) => webhooksOf(object as Configuration));
    return this.#webhooks;
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function webhooksOf({ metadata, webhooks = [] }: Configuration): ConfiguredWebhook[] {
  const configuration = metadata.name ?? '';
  const counts = new Map<string, number>();
  return webhooks.map((webhook) => {
    const count = counts.get(webhook.name) ?? 0;
    counts.set(webhook.name, count + 1);
    const { rules = [], namespaceSelector, objectSelector, matchPolicy } = webhook;
    let conditions: CompiledCondition[] | undefined;
    return {
      id: `${configuration}/${webhook.name}/${count}`,
      configuration,
      webhook,
      matching: {
        resourceRules: rules,
        ...(namespaceSelector !== undefined && { namespaceSelector }),
        ...(objectSelector !== undefined && { objectSelector }),
        ...(matchPolicy !== undefined && { matchPolicy }),
      },
      get conditions() {
        conditions ??= compiled(webhook);
        return conditions;
      },
    };
  });
}

function compiled({ matchConditions = [] }: MutatingWebhook | ValidatingWebhook): CompiledCondition[] {
  if (matchConditions.length === 0) return [];
  const expressions = new PolicyExpressions({ hasParams: false, hasVariables: false });
  return compileConditions(matchConditions, (expression, expected) => {
    const result = expressions.compile(expression, expected);
    if (result.ok) return { expression, program: result.program };
    return { expression, problem: compilationErrorText(result.issues, expression) };
  });
}
