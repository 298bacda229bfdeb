import { forbiddenValue, invalidValue, notSupported, required } from '#machinery/field/field-error.ts';
import type { FieldPath } from '#machinery/field/field-path.ts';
import { isHttpHeaderName, isPortName, isPortNumber } from '#machinery/validation/names.ts';
import type {
  Container,
  HTTPGetAction,
  IntOrString,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from '../../../../generated/types.ts';
import { checkMessages, checkNotNegative, type FieldErrors } from '../../../../validation/basics.ts';

export function checkProbes(container: Container, path: FieldPath, errors: FieldErrors): void {
  const { livenessProbe, readinessProbe, startupProbe } = container;
  if (livenessProbe !== undefined) {
    const at = path.child('livenessProbe');
    checkProbe(livenessProbe, at, errors);
    checkSuccessThreshold(livenessProbe, at, errors);
  }
  if (readinessProbe !== undefined) {
    const at = path.child('readinessProbe');
    checkProbe(readinessProbe, at, errors);
    if (readinessProbe.terminationGracePeriodSeconds !== undefined) {
      const seconds = readinessProbe.terminationGracePeriodSeconds;
      errors.push(
        invalidValue(at.child('terminationGracePeriodSeconds'), seconds, 'must not be set for readinessProbes'),
      );
    }
  }
  if (startupProbe !== undefined) {
    const at = path.child('startupProbe');
    checkProbe(startupProbe, at, errors);
    checkSuccessThreshold(startupProbe, at, errors);
  }
}

function checkSuccessThreshold(probe: Probe, path: FieldPath, errors: FieldErrors): void {
  if (probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    errors.push(invalidValue(path.child('successThreshold'), probe.successThreshold, 'must be 1'));
  }
}

function checkProbe(probe: Probe, path: FieldPath, errors: FieldErrors): void {
  checkHandler(probe, { path, graceSeconds: undefined, errors });
  checkNotNegative(probe.initialDelaySeconds, path.child('initialDelaySeconds'), errors);
  checkNotNegative(probe.timeoutSeconds, path.child('timeoutSeconds'), errors);
  checkNotNegative(probe.periodSeconds, path.child('periodSeconds'), errors);
  checkNotNegative(probe.successThreshold, path.child('successThreshold'), errors);
  checkNotNegative(probe.failureThreshold, path.child('failureThreshold'), errors);
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) {
    errors.push(invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'));
  }
}

interface HandlerOptions {
  readonly path: FieldPath;
  readonly graceSeconds: number | undefined;
  readonly errors: FieldErrors;
}

export function checkLifecycle(lifecycle: Lifecycle, options: HandlerOptions): void {
  const { path, errors } = options;
  for (const field of ['postStart', 'preStop'] as const) {
    const handler = lifecycle[field];
    if (handler !== undefined) checkHandler(handler, { ...options, path: path.child(field), errors });
  }
  if (lifecycle.stopSignal !== undefined && !/^SIG[A-Z0-9+-]+$/.test(lifecycle.stopSignal)) {
    errors.push(notSupported(path.child('stopSignal'), lifecycle.stopSignal, []));
  }
}

/** Exactly one way to act; probes and hooks share the check. */
function checkHandler(handler: Probe & LifecycleHandler, options: HandlerOptions): void {
  const { path, errors, graceSeconds } = options;
  let handlers = 0;
  const enter = (field: string): FieldPath | undefined => {
    handlers++;
    if (handlers === 1) return path.child(field);
    errors.push(forbiddenValue(path.child(field), 'may not specify more than 1 handler type'));
    return undefined;
  };
  if (handler.exec !== undefined) {
    const at = enter('exec');
    if (at !== undefined && (handler.exec.command ?? []).length === 0) errors.push(required(at.child('command'), ''));
  }
  if (handler.httpGet !== undefined) {
    const at = enter('httpGet');
    if (at !== undefined) checkHttpGet(handler.httpGet, at, errors);
  }
  if (handler.tcpSocket !== undefined) {
    const at = enter('tcpSocket');
    if (at !== undefined) checkPortReference(handler.tcpSocket.port, at.child('port'), errors);
  }
  if (handler.grpc !== undefined) {
    const at = enter('grpc');
    if (at !== undefined) checkMessages(isPortNumber(handler.grpc.port), handler.grpc.port, at.child('port'), errors);
  }
  if (handler.sleep !== undefined) {
    const at = enter('sleep');
    const { seconds } = handler.sleep;
    if (at !== undefined && (seconds < 0 || seconds > (graceSeconds ?? 0))) {
      const detail = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds ?? 0})`;
      errors.push(invalidValue(at, seconds, detail));
    }
  }
  if (handlers === 0) errors.push(required(path, 'must specify a handler type'));
}

function checkHttpGet(action: HTTPGetAction, path: FieldPath, errors: FieldErrors): void {
  if ((action.path ?? '') === '') errors.push(required(path.child('path'), ''));
  checkPortReference(action.port, path.child('port'), errors);
  const scheme = action.scheme ?? '';
  if (scheme !== 'HTTP' && scheme !== 'HTTPS')
    errors.push(notSupported(path.child('scheme'), scheme, ['HTTP', 'HTTPS']));
  for (const header of action.httpHeaders ?? []) {
    // Upstream's path has no index here.
    checkMessages(isHttpHeaderName(header.name), header.name, path.child('httpHeaders'), errors);
  }
}

/** A port by number or by the name of a container's port. */
export function checkPortReference(port: IntOrString | undefined, path: FieldPath, errors: FieldErrors): void {
  const value = port ?? 0;
  checkMessages(typeof value === 'number' ? isPortNumber(value) : isPortName(value), value, path, errors);
}
