import { opaqueType } from '../types/type.ts';

/** The types that Kubernetes adds; expressions know them by these names. */
export const URL_TYPE = opaqueType('kubernetes.URL');
export const QUANTITY = opaqueType('kubernetes.Quantity');
export const SEMVER = opaqueType('kubernetes.Semver');
export const FORMAT = opaqueType('kubernetes.NamedFormat');
export const IP = opaqueType('net.IP');
export const CIDR = opaqueType('net.CIDR');
export const AUTHORIZER = opaqueType('kubernetes.authorization.Authorizer');
export const PATH_CHECK = opaqueType('kubernetes.authorization.PathCheck');
export const GROUP_CHECK = opaqueType('kubernetes.authorization.GroupCheck');
export const RESOURCE_CHECK = opaqueType('kubernetes.authorization.ResourceCheck');
export const DECISION = opaqueType('kubernetes.authorization.Decision');
