import type { UserInfo } from '#apiserver/pipeline/types.ts';

/** A component as authentication would find it. */
export function componentUser(username: string): UserInfo {
  const [, , namespace = ''] = username.split(':');
  const groups = username.startsWith('system:serviceaccount:')
    ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
    : ['system:authenticated'];
  return { username, groups };
}

/** Who a controller acts as: the shared informers as the manager itself, the others as their service accounts. */
export function controllerUser(name: string): UserInfo {
  return componentUser(
    name === 'kube-controller-manager' ? 'system:kube-controller-manager' : `system:serviceaccount:kube-system:${name}`,
  );
}
