#!/usr/bin/env node
// Starts the command on a Node that is new enough: the one that runs this file, else the one from the npm package
// `node` beside it. In a checkout without a build it runs the TypeScript sources.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist', 'cli.mjs');
const entry = existsSync(built) ? built : join(root, 'src', 'cli', 'main.ts');
// The set-up brings a busybox where the machine has none.
const busybox = join(root, 'node_modules', '.debian', 'bin', 'busybox');
if (existsSync(busybox)) process.env.TIPHYS_BUSYBOX ??= busybox;
const [major, minor] = process.versions.node.split('.').map(Number);
const isModern = entry === built ? major > 22 || (major === 22 && minor >= 12) : major >= 24;

if (isModern) {
  // What is built is compiled once per build and not at each start.
  if (entry === built) module.enableCompileCache(join(root, 'node_modules', '.cache', 'tiphys'));
  await import(pathToFileURL(entry).href);
} else {
  const modern = join(root, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(modern)) {
    process.stderr.write(`tiphys needs Node 22.12 or later; this is ${process.version}. Run "npm ci" first.\n`);
    process.exit(1);
  }
  const child = spawn(modern, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}
