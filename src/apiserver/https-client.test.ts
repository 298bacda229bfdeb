import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testClientContract } from '#client/contract-suite.ts';
import { HttpClient } from '#client/http/http-client.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { silentLogger } from '#machinery/log/logger.ts';
import { x509Authenticator } from './authentication/x509.ts';
import { ensurePki } from './pki/pki.ts';
import { startTestServer } from './testing/test-server.ts';
import { listenHttps } from './transport/http-server.ts';

// The same contract as LocalClient's, through TLS, HTTP and a client certificate.
testClientContract('HTTPS', async () => {
  const executor = new RealExecutor();
  const { clock, random } = executor;
  const directory = await mkdtemp(join(tmpdir(), 'tiphys-https-'));
  const pki = await ensurePki(directory, {}, { clock, random });
  const test = await startTestServer(executor, {
    authenticator: x509Authenticator({ clientCa: pki.ca.certificate, clock }),
  });
  const https = await listenHttps({
    server: test.server,
    host: '127.0.0.1',
    port: 0,
    clock,
    log: silentLogger,
    certificate: pki.serving.certificate,
    key: pki.serving.key,
    clientCas: [pki.ca.certificate],
  });
  const client = new HttpClient(
    {
      server: `https://127.0.0.1:${https.port}`,
      certificateAuthority: pki.ca.certificate,
      clientCertificate: pki.admin.certificate,
      clientKey: pki.admin.key,
    },
    { clock },
  );
  return {
    client,
    forgetHistory: () => test.server.compact(),
    close: async () => {
      await client.close();
      await https.close();
      await test.close();
      await rm(directory, { recursive: true });
    },
  };
});
