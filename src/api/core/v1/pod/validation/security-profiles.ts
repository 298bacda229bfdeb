import { forbiddenValue, invalidValue, notSupported, required, tooLong } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile } from '../../../../generated/types.ts';
import type { FieldErrors } from '../../../../validation/basics.ts';
import { checkDescendingPath } from './paths.ts';
import { visitContainers } from './windows.ts';

const types = ['Localhost', 'RuntimeDefault', 'Unconfined'];
/** The longest path that Linux takes, less its end. */
const PROFILE_LENGTH_MAX = 4095;
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
export const APPARMOR_CONTAINER = 'container.apparmor.security.beta.kubernetes.io/';

type Annotations = Readonly<Record<string, string>>;

export function checkSeccomp(profile: SeccompProfile | undefined, path: FieldPath, errors: FieldErrors): void {
  if (profile === undefined) return;
  const type = profile.type ?? '';
  if (type === '') errors.push(required(path.child('type'), 'type is required when seccompProfile is set'));
  else if (!types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  const at = path.child('localhostProfile');
  if (type === 'Localhost') {
    if (profile.localhostProfile === undefined) {
      errors.push(required(at, 'must be set when seccomp type is Localhost'));
    } else checkDescendingPath(profile.localhostProfile, at, errors);
  } else if (profile.localhostProfile !== undefined) {
    errors.push(invalidValue(at, profile, 'can only be set when seccomp type is Localhost'));
  }
}

export function checkAppArmor(profile: AppArmorProfile | undefined, path: FieldPath, errors: FieldErrors): void {
  if (profile === undefined) return;
  const type = profile.type ?? '';
  const at = path.child('localhostProfile');
  if (type === '') errors.push(required(path.child('type'), 'type is required when appArmorProfile is set'));
  else if (!types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  else if (type === 'Localhost') {
    const name = profile.localhostProfile ?? '';
    if (name.trim() !== name) errors.push(invalidValue(at, name, 'must not be padded with whitespace'));
    else if (name === '') errors.push(required(at, 'must be set when AppArmor type is Localhost'));
    if (name.length > PROFILE_LENGTH_MAX) errors.push(tooLong(at, PROFILE_LENGTH_MAX));
  } else if (profile.localhostProfile !== undefined) {
    errors.push(invalidValue(at, profile.localhostProfile, 'can only be set when AppArmor type is Localhost'));
  }
}

/** The older annotations of profiles by themselves. `path` is that of the annotations. */
export function checkProfileAnnotations(
  annotations: Annotations,
  spec: PodSpec,
  path: FieldPath,
  errors: FieldErrors,
): void {
  for (const [key, value] of Object.entries(annotations)) {
    if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER)) {
      checkSeccompText(value, path.child(key), errors);
    } else if (key.startsWith(APPARMOR_CONTAINER)) {
      const name = key.slice(APPARMOR_CONTAINER.length);
      let isKnown = false;
      visitContainers(spec, path, (container) => (isKnown ||= container.name === name));
      if (!isKnown) errors.push(invalidValue(path.key(key), name, 'container not found'));
      if (!/^(|runtime\/default|unconfined|localhost\/.*)$/s.test(value)) {
        errors.push(invalidValue(path.key(key), value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
      }
    }
  }
}

function checkSeccompText(text: string, path: FieldPath, errors: FieldErrors): void {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(text)) return;
  if (text.startsWith('localhost/')) checkDescendingPath(text.slice('localhost/'.length), path, errors);
  else errors.push(invalidValue(path, text, 'must be a valid seccomp profile'));
}

/** Where both an annotation and the field that replaced it are set, they must say the same. */
export function checkProfilesMatch(
  annotations: Annotations,
  spec: PodSpec,
  path: FieldPath,
  errors: FieldErrors,
): void {
  const ofPod = spec.securityContext?.seccompProfile;
  const podText = annotations[SECCOMP_POD];
  if (ofPod !== undefined && podText !== undefined) {
    checkMatch(
      { what: 'seccomp', profile: ofPod, text: podText },
      path.child('securityContext', 'seccompProfile'),
      errors,
    );
  }
  visitContainers(spec, path, (container, containerPath) => {
    const at = containerPath.child('securityContext');
    const seccomp = container.securityContext?.seccompProfile;
    const seccompText = annotations[`${SECCOMP_CONTAINER}${container.name}`];
    if (seccomp !== undefined && seccompText !== undefined) {
      checkMatch({ what: 'seccomp', profile: seccomp, text: seccompText }, at.child('seccompProfile'), errors);
    }
    const appArmor = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const appArmorText = annotations[`${APPARMOR_CONTAINER}${container.name}`];
    if (appArmor !== undefined && appArmorText !== undefined && spec.os?.name !== 'windows') {
      checkMatch({ what: 'apparmor', profile: appArmor, text: appArmorText }, at.child('appArmorProfile'), errors);
    }
  });
}

interface Pair {
  readonly what: 'seccomp' | 'apparmor';
  readonly profile: SeccompProfile | AppArmorProfile;
  readonly text: string;
}

function checkMatch({ what, profile, text }: Pair, path: FieldPath, errors: FieldErrors): void {
  const mismatch = (field: string, noun: string): void => {
    errors.push(forbiddenValue(path.child(field), `${what} ${noun} in annotation and field must match`));
  };
  if (profile.type === 'Localhost') {
    if (!text.startsWith('localhost/')) mismatch('type', 'type');
    else if (text.slice('localhost/'.length) !== profile.localhostProfile) mismatch('localhostProfile', 'profile');
  } else if (profile.type === 'Unconfined') {
    if (text !== 'unconfined') mismatch('type', 'type');
  } else if (profile.type === 'RuntimeDefault') {
    const isDefault = text === 'runtime/default' || (what === 'seccomp' && text === 'docker/default');
    if (!isDefault) mismatch('type', 'type');
  }
}
