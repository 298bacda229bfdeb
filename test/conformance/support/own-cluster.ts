import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Starts a cluster for the tests alone, on two nodes that pretend; `remove` leaves nothing of it. */
export async function startOwnCluster(): Promise<{ kubeconfig: string; remove: () => Promise<void> }> {
  if (!existsSync(join(ROOT, 'dist', 'cli.mjs'))) await run('scripts/setup.mjs', 'build');
  const directory = mkdtempSync(join(tmpdir(), 'tiphys-conformance-'));
  const kubeconfig = join(directory, 'kubeconfig');
  const where = ['--data-dir', join(directory, 'data')];
  const remove = async () => {
    await run('bin/tiphys.mjs', 'delete', ...where);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const kind = ['--runtime', 'simulated', '--nodes', '2', '--port', '0'];
    await run('bin/tiphys.mjs', 'up', '--detach', '--kubeconfig', kubeconfig, ...kind, ...where);
  } catch (error) {
    await remove();
    throw error;
  }
  return { kubeconfig, remove };
}

function run(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`node ${args.join(' ')}: exit code ${code}\n${output}`));
    });
  });
}
