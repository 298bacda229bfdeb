import type { CelLibrary } from '../environment.ts';
import { fail } from '../errors.ts';
import { declare, member, overload } from '../library/declaration.ts';
import { BOOL, type CelType, INT, STRING } from '../types/type.ts';
import { UINT_MAX, makeInt } from '../values/numbers.ts';
import { CelValue } from '../values/value.ts';
import { SEMVER } from './types.ts';

interface Version {
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint];
  readonly prerelease: readonly string[];
}

export class CelSemver extends CelValue {
  readonly version: Version;

  constructor(version: Version) {
    super();
    this.version = version;
  }

  get type(): CelType {
    return SEMVER;
  }

  isEqual(other: CelValue): boolean {
    return other instanceof CelSemver && compare(this, other) === 0;
  }
}

/** `semver('1.2.3')`, with `true` for versions in a loose form, and comparisons. */
export const SEMVERS: CelLibrary = {
  namedTypes: [SEMVER],
  functions: [
    declare(
      'semver',
      overload('string_to_semver', [STRING], SEMVER, toSemver),
      overload('string_bool_to_semver', [STRING, BOOL], SEMVER, toSemver),
    ),
    declare(
      'isSemver',
      overload('is_semver_string', [STRING], BOOL, isSemver),
      overload('is_semver_string_bool', [STRING, BOOL], BOOL, isSemver),
    ),
    declare(
      'isGreaterThan',
      member('semver_is_greater_than', [SEMVER, SEMVER], BOOL, (a: CelSemver, b: CelSemver) => compare(a, b) > 0),
    ),
    declare(
      'isLessThan',
      member('semver_is_less_than', [SEMVER, SEMVER], BOOL, (a: CelSemver, b: CelSemver) => compare(a, b) < 0),
    ),
    declare('compareTo', member('semver_compare_to', [SEMVER, SEMVER], INT, compare)),
    declare(
      'major',
      member('semver_major', [SEMVER], INT, ({ version }: CelSemver) => makeInt(version.numbers[0])),
    ),
    declare(
      'minor',
      member('semver_minor', [SEMVER], INT, ({ version }: CelSemver) => makeInt(version.numbers[1])),
    ),
    declare(
      'patch',
      member('semver_patch', [SEMVER], INT, ({ version }: CelSemver) => makeInt(version.numbers[2])),
    ),
  ],
};

function toSemver(text: string, isLoose = false): CelSemver {
  const version = read(text, isLoose);
  return typeof version === 'string' ? fail(version) : new CelSemver(version);
}

function isSemver(text: string, isLoose = false): boolean {
  return typeof read(text, isLoose) !== 'string';
}

/** The version, or why there is none. */
function read(text: string, isLoose: boolean): Version | string {
  if (!isLoose) return parse(text);
  const normal = normalize(text);
  return normal === undefined ? 'short version cannot contain PreRelease/Build meta data' : parse(normal);
}

/** Without a leading `v`, without leading zeros, and with the parts that are missing. */
function normalize(text: string): string | undefined {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length === 0 ? [] : [rest.join('.')])];
  const trimmed = parts.map((part) => {
    if (part.length <= 1) return part;
    const bare = part.replace(/^0+/, '');
    return /^[0-9]/.test(bare) ? bare : `0${bare}`;
  });
  if (trimmed.length < 3 && /[+-]/.test(trimmed.at(-1) ?? '')) return undefined;
  while (trimmed.length < 3) trimmed.push('0');
  return trimmed.join('.');
}

function parse(text: string): Version | string {
  if (text === '') return 'Version string empty';
  const [major, minor, ...rest] = text.split('.');
  const tail = rest.join('.');
  if (major === undefined || minor === undefined || rest.length === 0) return 'No Major.Minor.Patch elements found';
  const match = /^([^+-]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(tail);
  const [, patch = '', prerelease, build] = match ?? [];
  const numbers: bigint[] = [];
  for (const [name, part] of [
    ['major', major],
    ['minor', minor],
    ['patch', patch],
  ] as const) {
    const shown = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    if (!/^[0-9]+$/.test(part)) return `Invalid character(s) found in ${name} number "${part}"`;
    if (part.length > 1 && part.startsWith('0')) return `${shown} number must not contain leading zeroes "${part}"`;
    const number = BigInt(part);
    if (number > UINT_MAX) return `strconv.ParseUint: parsing "${part}": value out of range`;
    numbers.push(number);
  }
  const identifiers = prerelease?.split('.') ?? [];
  for (const identifier of [...identifiers, ...(build?.split('.') ?? [])]) {
    if (identifier === '') return 'Prerelease is empty';
    if (!/^[0-9A-Za-z-]+$/.test(identifier)) return `Invalid character(s) found in prerelease "${identifier}"`;
  }
  for (const identifier of identifiers) {
    if (/^0[0-9]+$/.test(identifier))
      return `Numeric PreRelease version must not contain leading zeroes "${identifier}"`;
  }
  // The loop has read three numbers.
  return { numbers: numbers as [bigint, bigint, bigint], prerelease: identifiers };
}

function compare(left: CelSemver, right: CelSemver): number {
  for (const [index, number] of left.version.numbers.entries()) {
    const other = right.version.numbers[index] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  return comparePrerelease(left.version.prerelease, right.version.prerelease);
}

/** A version with a prerelease comes before the one without. */
function comparePrerelease(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return Number(right.length > 0) - Number(left.length > 0);
  for (const [index, identifier] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return left.length < right.length ? -1 : 0;
}

/** Numbers come before words. */
function compareIdentifiers(left: string, right: string): number {
  const isNumber = /^[0-9]+$/.test(left);
  const isOtherNumber = /^[0-9]+$/.test(right);
  if (isNumber && isOtherNumber) {
    const difference = BigInt(left) - BigInt(right);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
  return left === right ? 0 : left < right ? -1 : 1;
}
