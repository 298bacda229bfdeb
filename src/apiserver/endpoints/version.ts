import { type Handler, jsonResponse } from '../pipeline/types.ts';

/** The version of Kubernetes whose API this is; clients compare `major`, `minor` and `gitVersion`. */
export const VERSION = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.0+tiphys.0.1.0',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

export const versionHandler: Handler = () => Promise.resolve(jsonResponse(200, VERSION));
