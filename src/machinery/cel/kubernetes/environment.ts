import { CelEnvironment } from '../environment.ts';
import { SETS, TWO_VARIABLE_COMPREHENSIONS } from '../library/collections.ts';
import { LISTS } from '../library/lists.ts';
import { OPTIONALS } from '../library/optionals.ts';
import { stringsLibrary } from '../library/strings.ts';
import { kubernetesCosts } from './actual-costs.ts';
import { ADDRESSES } from './addresses.ts';
import { AUTHORIZERS } from './authorizer.ts';
import { kubernetesEstimator } from './estimated-costs.ts';
import { FORMATS } from './formats.ts';
import { KUBERNETES_LISTS } from './lists.ts';
import { QUANTITIES } from './quantities.ts';
import { REGEX } from './regex.ts';
import { SEMVERS } from './semver.ts';
import { URLS } from './urls.ts';

let environment: CelEnvironment | undefined;

/**
 * The base environment of Kubernetes 1.36 without variables: what rules of custom resources, policies, match conditions
 * and claim mappings share. Made once; extend it with variables and types.
 */
export function kubernetesEnvironment(): CelEnvironment {
  environment ??= CelEnvironment.standard({
    optionalSyntax: true,
    foldConstants: true,
    validateLiterals: true,
    costs: kubernetesCosts,
    costEstimator: kubernetesEstimator,
  }).extend({
    libraries: [
      URLS,
      REGEX,
      KUBERNETES_LISTS,
      AUTHORIZERS,
      OPTIONALS,
      QUANTITIES,
      stringsLibrary(2),
      SETS,
      ADDRESSES,
      FORMATS,
      TWO_VARIABLE_COMPREHENSIONS,
      SEMVERS,
      LISTS,
    ],
  });
  return environment;
}
