import { invalid } from '#machinery/errors/status-error.ts';
import { type FieldError, invalidValue } from '#machinery/field/field-error.ts';
import { FieldPath } from '#machinery/field/field-path.ts';
import type { KubeObject } from '#machinery/meta/types.ts';
import type { AuthorizationAttributes, UserInfo } from '../../pipeline/types.ts';
import { fields, text, texts } from './body.ts';
import { readFieldSelector, readLabelSelector, validateSelectors } from './review-selectors.ts';

type Review = KubeObject & Record<string, unknown>;

/**
 * What an access review asks. `evaluationError` says which selectors were not understood: the answer is then about more
 * objects than were meant, never about fewer. Throws 422 for a review that asks nothing, or too much at once.
 */
export function reviewQuestion(
  review: Review,
  user: UserInfo,
): { attributes: AuthorizationAttributes; evaluationError: string } {
  validate(review);
  const spec = fields(review['spec']);
  const base = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '', path: '' };
  if (!isGiven(spec['resourceAttributes'])) {
    const { path, verb } = fields(spec['nonResourceAttributes']);
    return {
      attributes: { ...base, user, isResourceRequest: false, path: text(path), verb: text(verb) },
      evaluationError: '',
    };
  }
  const asked = fields(spec['resourceAttributes']);
  const { terms: fieldSelector, hasUnread: hasUnreadFields } = readFieldSelector(asked['fieldSelector']);
  const { terms: labelSelector, hasUnread: hasUnreadLabels } = readLabelSelector(asked['labelSelector']);
  const attributes: AuthorizationAttributes = {
    ...base,
    user,
    isResourceRequest: true,
    verb: text(asked['verb']),
    group: text(asked['group']),
    version: text(asked['version']) || '*',
    resource: text(asked['resource']),
    subresource: text(asked['subresource']),
    namespace: text(asked['namespace']),
    name: text(asked['name']),
    ...(fieldSelector.length > 0 && { fieldSelector }),
    ...(labelSelector.length > 0 && { labelSelector }),
  };
  const problems = [
    ...(hasUnreadFields ? [unread('fieldSelector', fieldSelector.length > 0)] : []),
    ...(hasUnreadLabels ? [unread('labelSelector', labelSelector.length > 0)] : []),
  ];
  return { attributes, evaluationError: problems.join('; ') };
}

function unread(selector: string, isPartly: boolean): string {
  return `spec.resourceAttributes.${selector} ${isPartly ? 'partially ' : ''}ignored due to parse error`;
}

function validate(review: Review): void {
  const spec = fields(review['spec']);
  const { resourceAttributes, nonResourceAttributes } = spec;
  const path = new FieldPath('spec');
  const errors: FieldError[] = [];
  const hasResource = isGiven(resourceAttributes);
  const hasPath = isGiven(nonResourceAttributes);
  if (hasResource && hasPath) {
    const detail = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalidValue(path.child('nonResourceAttributes'), nonResourceAttributes, detail));
  }
  if (!hasResource && !hasPath) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalidValue(path.child('resourceAttributes'), nonResourceAttributes ?? null, detail));
  }
  if (!review.kind.startsWith('Self') && text(spec['user']) === '' && texts(spec['groups']).length === 0) {
    errors.push(invalidValue(path.child('user'), '', 'at least one of user or group must be specified'));
  }
  if (hasResource) errors.push(...validateSelectors(fields(resourceAttributes), path.child('resourceAttributes')));
  errors.push(...validateMetadata(review));
  if (review.kind === 'LocalSubjectAccessReview') errors.push(...validateLocal(review));
  if (errors.length === 0) return;
  const causes = errors.map((error) => ({ ...error, text: `${error.field}: ${error.message}` }));
  throw invalid({ group: 'authorization.k8s.io', kind: review.kind, name: '' }, causes);
}

/** Reviews are never stored, so nothing but what the server itself fills in may be set. */
function validateMetadata({ kind, metadata }: Review): FieldError[] {
  const { managedFields: _, ...rest } = metadata;
  const isLocal = kind === 'LocalSubjectAccessReview';
  const set = Object.entries(rest).filter(
    ([name, value]) => value !== null && value !== '' && !(isLocal && name === 'namespace') && !isEmpty(value),
  );
  if (set.length === 0) return [];
  const detail = isLocal ? 'must be empty except for namespace' : 'must be empty';
  return [invalidValue(new FieldPath('metadata'), metadata, detail)];
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function validateLocal({ metadata, spec }: Review): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = fields(spec);
  const errors: FieldError[] = [];
  const asked = text(fields(resourceAttributes)['namespace']);
  if (isGiven(resourceAttributes) && asked !== metadata.namespace) {
    const path = new FieldPath('spec.resourceAttributes.namespace');
    errors.push(invalidValue(path, asked, 'must match metadata.namespace'));
  }
  if (isGiven(nonResourceAttributes)) {
    const path = new FieldPath('spec.nonResourceAttributes');
    errors.push(invalidValue(path, nonResourceAttributes, 'disallowed on this kind of request'));
  }
  return errors;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
