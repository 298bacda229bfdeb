import { testClientContract } from '#client/contract-suite.ts';
import { RealExecutor } from '#machinery/executor/real-executor.ts';
import { startTestServer } from './testing/test-server.ts';

testClientContract('LocalClient', async () => {
  const test = await startTestServer(new RealExecutor());
  return {
    client: test.client,
    forgetHistory: () => test.server.compact(),
    close: () => test.close(),
  };
});
