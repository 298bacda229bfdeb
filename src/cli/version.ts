import packageJson from '../../package.json' with { type: 'json' };

/** Of this package; the Kubernetes version that it speaks is `apiserver`'s. */
export const VERSION: string = packageJson.version;
