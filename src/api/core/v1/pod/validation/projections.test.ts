import { describe, expect, test } from 'vitest';
import type { EnvVarSource, Pod, VolumeProjection } from '../../../../generated/types.ts';
import { createErrors } from '../../../../testing/kit.ts';

function pod(fields: { sources?: VolumeProjection[]; valueFrom?: EnvVarSource }): Pod {
  const { sources, valueFrom } = fields;
  const env = valueFrom === undefined ? [] : [{ name: 'A', valueFrom }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default' },
    spec: {
      serviceAccountName: 'default',
      containers: [{ name: 'a', image: 'x', env }],
      volumes: sources === undefined ? [] : [{ name: 'v', projected: { sources } }],
    },
  };
}

describe('errors of a projected volume', () => {
  const volume = 'spec.volumes[0].projected';
  const at = `${volume}.sources[0]`;
  const label = (text: string): string =>
    `${at}.clusterTrustBundle.name: Invalid value: "${text}": not a valid clustertrustbundlename: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
  const cases: [string, VolumeProjection[], string[]][] = [
    ['a bundle by name', [{ clusterTrustBundle: { name: 'a.b', path: 'ca.pem' } }], []],
    ['a bundle of a signer by name', [{ clusterTrustBundle: { name: 'a.com:b:c', path: 'ca.pem' } }], []],
    [
      'the bundles of a signer',
      [{ clusterTrustBundle: { signerName: 'a.com/b', labelSelector: {}, path: 'ca.pem' } }],
      [],
    ],
    [
      'both',
      [{ clusterTrustBundle: { name: 'a', signerName: 'a.com/b', path: 'p' } }],
      [
        `${at}.clusterTrustBundle: Invalid value: {"Name":"a","SignerName":"a.com/b","LabelSelector":null,"Optional":null,"Path":"p"}: only one of name and signerName may be used`,
      ],
    ],
    [
      'neither, at a reserved path',
      [{ clusterTrustBundle: { path: '..p' } }],
      [
        `${at}.clusterTrustBundle: Required value: either name or signerName must be specified`,
        `${at}.clusterTrustBundle.path: Invalid value: "..p": must not start with '..'`,
      ],
    ],
    [
      'a name with a selector',
      [{ clusterTrustBundle: { name: 'A', labelSelector: {}, path: 'p' } }],
      [
        label('A'),
        `${at}.clusterTrustBundle.labelSelector: Invalid value: {}: labelSelector must be unset if name is specified`,
      ],
    ],
    [
      'a signer',
      [{ clusterTrustBundle: { signerName: 'a', path: 'p' } }],
      [
        `${at}.clusterTrustBundle.signerName: Invalid value: "a": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
      ],
    ],
    ['a token without a path', [{ serviceAccountToken: { path: '' } }], [`${volume}.path: Required value`]],
    [
      'two in one',
      [{ secret: { name: 'a' }, configMap: { name: 'b' } }],
      [`${at}: Forbidden: may not specify more than 1 volume type per source`],
    ],
    [
      'the same file twice',
      [{ secret: { name: 'a', items: [{ key: 'k', path: 'p' }] } }, { clusterTrustBundle: { name: 'a', path: 'p' } }],
      [`${volume}: Invalid value: "p": conflicting duplicate paths`],
    ],
  ];

  test.each(cases)('%s', (_name, sources, errors) => {
    expect(createErrors(pod({ sources }))).toEqual(errors);
  });
});

describe('errors of a variable from a file', () => {
  const at = 'spec.containers[0].env[0].valueFrom.fileKeyRef';
  const cases: [string, EnvVarSource, string[]][] = [
    ['as it should be', { fileKeyRef: { key: 'A.b', path: 'a/b', volumeName: 'v' } }, []],
    [
      'nothing',
      { fileKeyRef: { key: '', path: '', volumeName: '' } },
      [`${at}.key: Required value`, `${at}.path: Required value`, `${at}.volumeName: Required value`],
    ],
    [
      'forms',
      { fileKeyRef: { key: 'a=b', path: '../a', volumeName: 'a.b' } },
      [
        `${at}.key: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
        `${at}.path: Invalid value: "../a": must not contain '..'`,
        `${at}.volumeName: Invalid value: "a.b": must not contain dots`,
      ],
    ],
  ];

  test.each(cases)('%s', (_name, valueFrom, errors) => {
    expect(createErrors(pod({ valueFrom }))).toEqual(errors);
  });
});
