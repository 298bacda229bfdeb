import { expect } from 'vitest';
import { conformanceTest } from '../support/conformance-test.ts';
import { DEPLOYMENTS } from '../support/kinds.ts';
import type { StatusBody } from '../support/api.ts';

const BODY = (name: string, extraSpec: string, extraMetadata = '') => `{
  "apiVersion": "apps/v1", "kind": "Deployment",
  "metadata": {"name": "${name}", "labels": {"app": "nginx"}${extraMetadata}},
  "spec": {
    ${extraSpec}
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}${extraMetadata}},
      "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}
    }
  }
}`;

conformanceTest(
  '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]',
  async ({ api, namespace }) => {
    const path = api.of(DEPLOYMENTS, namespace).path();
    const body = BODY(
      'detect',
      '"unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, "paused": false,',
    );
    const strict = await api.raw<StatusBody>('POST', path, { body, query: { fieldValidation: 'Strict' } });
    expect(strict.code).toBe(400);
    for (const field of [
      'unknown field "spec.unknown1"',
      'unknown field "spec.unknownDupe"',
      'duplicate field "spec.paused"',
    ]) {
      expect(strict.body.message).toContain(field);
    }
    const warned = await api.raw('POST', path, { body, query: { fieldValidation: 'Warn', dryRun: 'All' } });
    expect(warned.code).toBe(201);
    expect(String(warned.headers['warning'])).toContain('unknown field \\"spec.unknown1\\"');
    const ignored = await api.raw('POST', path, { body, query: { fieldValidation: 'Ignore', dryRun: 'All' } });
    expect(ignored.code).toBe(201);
    expect(ignored.headers['warning']).toBeUndefined();
  },
);

conformanceTest(
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]',
  async ({ api, namespace }) => {
    const path = api.of(DEPLOYMENTS, namespace).path();
    const body = BODY('detect-metadata', '', ', "unknownMeta": "value"');
    const strict = await api.raw<StatusBody>('POST', path, { body, query: { fieldValidation: 'Strict' } });
    expect(strict.code).toBe(400);
    expect(strict.body.message).toContain('unknown field "metadata.unknownMeta"');
    expect(strict.body.message).toContain('unknown field "spec.template.metadata.unknownMeta"');
  },
);
