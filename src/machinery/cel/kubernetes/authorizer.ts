import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../validation/names.ts';
import { declare, member } from '../library/declaration.ts';
import { BOOL, type CelType, STRING } from '../types/type.ts';
import { CelValue } from '../values/value.ts';
import { AUTHORIZER, DECISION, GROUP_CHECK, PATH_CHECK, RESOURCE_CHECK } from './types.ts';

/** What an expression asks: may this user do this? */
export interface AuthorizationQuery {
  readonly verb: string;
  /** The service account that the expression names instead of the request's user. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  /** A path that is no resource; then nothing below is given. */
  readonly path?: string;
  readonly resource?: ResourceQuery;
}

export interface ResourceQuery {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** As written; empty where the expression names none. */
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

export interface AuthorizationAnswer {
  readonly isAllowed: boolean;
  readonly reason: string;
  /** Why the question could not be answered. */
  readonly error?: string;
}

/** Answers at once: expressions are evaluated without waiting. */
export interface ExpressionAuthorizer {
  authorize(query: AuthorizationQuery): AuthorizationAnswer;
}

type ServiceAccount = NonNullable<AuthorizationQuery['serviceAccount']>;

/** The variable `authorizer`: begins a question. */
export class CelAuthorizer extends CelValue {
  readonly authorizer: ExpressionAuthorizer;
  readonly serviceAccount: ServiceAccount | undefined;

  constructor(authorizer: ExpressionAuthorizer, serviceAccount?: ServiceAccount) {
    super();
    this.authorizer = authorizer;
    this.serviceAccount = serviceAccount;
  }

  get type(): CelType {
    return AUTHORIZER;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }

  ask(question: Pick<AuthorizationQuery, 'verb' | 'path' | 'resource'>): CelDecision {
    const { serviceAccount } = this;
    const query = serviceAccount === undefined ? question : { ...question, serviceAccount };
    return new CelDecision(this.authorizer.authorize(query));
  }
}

class PathCheck extends CelValue {
  readonly authorizer: CelAuthorizer;
  readonly path: string;

  constructor(authorizer: CelAuthorizer, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }

  get type(): CelType {
    return PATH_CHECK;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }
}

class GroupCheck extends CelValue {
  readonly authorizer: CelAuthorizer;
  readonly group: string;

  constructor(authorizer: CelAuthorizer, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }

  get type(): CelType {
    return GROUP_CHECK;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }
}

class ResourceCheck extends CelValue {
  readonly authorizer: CelAuthorizer;
  readonly query: ResourceQuery;

  constructor(authorizer: CelAuthorizer, query: ResourceQuery) {
    super();
    this.authorizer = authorizer;
    this.query = query;
  }

  get type(): CelType {
    return RESOURCE_CHECK;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }

  with(part: Partial<ResourceQuery>): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.query, ...part });
  }
}

class CelDecision extends CelValue {
  readonly answer: AuthorizationAnswer;

  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }

  get type(): CelType {
    return DECISION;
  }

  isEqual(other: CelValue): boolean {
    return this === other;
  }
}

const NO_RESOURCE = { subresource: '', namespace: '', name: '', fieldSelector: '', labelSelector: '' };

/** The variable `authorizer.requestResource`: the question about the object of the request. */
export function requestResourceCheck(
  authorizer: CelAuthorizer,
  resource: Pick<ResourceQuery, 'group' | 'resource'> & Partial<ResourceQuery>,
): unknown {
  return new ResourceCheck(authorizer, { ...NO_RESOURCE, ...resource });
}

/** `authorizer.group('apps').resource('deployments').check('create').allowed()` and its relatives. */
export const AUTHORIZERS: CelLibrary = {
  namedTypes: [AUTHORIZER, PATH_CHECK, GROUP_CHECK, RESOURCE_CHECK, DECISION],
  functions: [
    declare('path', member('authorizer_path', [AUTHORIZER, STRING], PATH_CHECK, toPath)),
    declare('group', member('authorizer_group', [AUTHORIZER, STRING], GROUP_CHECK, toGroup)),
    declare(
      'serviceAccount',
      member('authorizer_serviceaccount', [AUTHORIZER, STRING, STRING], AUTHORIZER, toServiceAccount),
    ),
    declare('resource', member('groupcheck_resource', [GROUP_CHECK, STRING], RESOURCE_CHECK, toResource)),
    part('subresource', 'resourcecheck_subresource'),
    part('namespace', 'resourcecheck_namespace'),
    part('name', 'resourcecheck_name'),
    part('fieldSelector', 'authorizer_fieldselector'),
    part('labelSelector', 'authorizer_labelselector'),
    declare(
      'check',
      member('pathcheck_check', [PATH_CHECK, STRING], DECISION, ({ authorizer, path }: PathCheck, verb: string) =>
        authorizer.ask({ verb, path }),
      ),
      member(
        'resourcecheck_check',
        [RESOURCE_CHECK, STRING],
        DECISION,
        ({ authorizer, query }: ResourceCheck, verb: string) => authorizer.ask({ verb, resource: query }),
      ),
    ),
    declare(
      'errored',
      member('decision_errored', [DECISION], BOOL, ({ answer }: CelDecision) => answer.error !== undefined),
    ),
    declare(
      'error',
      member('decision_error', [DECISION], STRING, ({ answer }: CelDecision) => answer.error ?? ''),
    ),
    declare(
      'allowed',
      member('decision_allowed', [DECISION], BOOL, ({ answer }: CelDecision) => answer.isAllowed),
    ),
    declare(
      'reason',
      member('decision_reason', [DECISION], STRING, ({ answer }: CelDecision) => answer.reason),
    ),
  ],
};

function part(name: keyof ResourceQuery, id: string): ReturnType<typeof declare> {
  const set = (check: ResourceCheck, value: string): ResourceCheck => check.with({ [name]: value });
  return declare(name, member(id, [RESOURCE_CHECK, STRING], RESOURCE_CHECK, set));
}

function toPath(authorizer: CelAuthorizer, path: string): PathCheck {
  return path.trim() === '' ? fail('path must not be empty') : new PathCheck(authorizer, path);
}

function toGroup(authorizer: CelAuthorizer, group: string): GroupCheck {
  return new GroupCheck(authorizer, group);
}

function toServiceAccount({ authorizer }: CelAuthorizer, namespace: string, name: string): CelAuthorizer {
  if (isDns1123Subdomain(name).length > 0) fail('Invalid service account name');
  if (isDns1123Label(namespace).length > 0) fail('Invalid service account namespace');
  return new CelAuthorizer(authorizer, { namespace, name });
}

function toResource({ authorizer, group }: GroupCheck, resource: string): ResourceCheck {
  if (resource.trim() === '') fail('resource must not be empty');
  return new ResourceCheck(authorizer, { ...NO_RESOURCE, group, resource });
}
