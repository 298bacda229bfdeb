import { Client, credentials, Metadata, type ServiceError, status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '#machinery/clock/clock.ts';
import { goDuration } from '../pod/go-duration.ts';
import type { ProbeOutcome } from './contract.ts';
import { hostPort } from './host-port.ts';

const USER_AGENT = 'kube-probe/1.36';
const METHOD = '/grpc.health.v1.Health/Check';
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** Asks the standard health service (grpc.health.v1) of a pod. */
export async function grpcProbe(
  target: { host: string; port: number; service: string },
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
): Promise<ProbeOutcome> {
  const address = hostPort(target.host, target.port);
  const client = new Client(address, credentials.createInsecure(), { 'grpc.primary_user_agent': USER_AGENT });
  const deadline = clock.now() + timeoutMs;
  try {
    return await new Promise<ProbeOutcome>((resolve) => {
      const done = (error: ServiceError | null, answer?: string) => {
        if (error !== null) resolve({ result: 'failure', output: errorText(error, { address, timeoutMs }) });
        else if (answer === 'SERVING') resolve({ result: 'success', output: 'service healthy' });
        else resolve({ result: 'failure', output: `service unhealthy (responded with "${answer ?? ''}")` });
      };
      client.makeUnaryRequest(METHOD, encodeRequest, decodeStatus, target.service, new Metadata(), { deadline }, done);
    });
  } finally {
    client.close();
  }
}

/** `HealthCheckRequest {string service = 1}`. Service names are short: one length byte is enough for 127 of them. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  return name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

/** `HealthCheckResponse {ServingStatus status = 1}`; zero is left out on the wire. */
function decodeStatus(bytes: Buffer): string {
  const value = bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0;
  return STATUS_NAMES[value] ?? String(value);
}

function errorText(error: ServiceError, target: { address: string; timeoutMs: number }): string {
  switch (error.code) {
    case grpcStatus.UNIMPLEMENTED:
      return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`;
    case grpcStatus.DEADLINE_EXCEEDED:
      return `timeout: health rpc did not complete within ${goDuration(target.timeoutMs)}`;
    case grpcStatus.UNAVAILABLE: {
      const within = goDuration(target.timeoutMs);
      return `timeout: failed to connect service "${target.address}" within ${within}: ${error.details}`;
    }
    default:
      return `error: health rpc probe failed: ${error.details}`;
  }
}
