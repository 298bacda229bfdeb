import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NodeImages } from '#cluster/machine/node-images.ts';
import { CliError } from '../cli-error.ts';
import { requireRunning, withDataDir } from '../options.ts';

interface BuildFlags {
  readonly tag: string;
  readonly output?: string;
  readonly dataDir: string;
  readonly entrypoint?: string[];
  readonly cmd?: string[];
  readonly env: string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly expose: string[];
  readonly label: string[];
}

/** `tiphys image build|load|list`: images without a registry. */
export function addImageCommand(program: Command): void {
  const image = program.command('image').description('build, load and list images; no registry needed');
  const collect = (value: string, before: string[]) => [...before, value];
  withDataDir(image.command('build'))
    .description('build an image of one layer from a directory or a tar; loads it unless --output is given')
    .argument('<source>', 'a directory or a tar (plain, gzip or zstd): the root file system')
    .addOption(new Option('-t, --tag <name>', 'name of the image, such as web:1').makeOptionMandatory())
    .option('-o, --output <file>', 'write an OCI layout tar there, and load nothing')
    .option('--entrypoint <json>', 'what starts, as a JSON list: \'["/bin/web"]\'', parseList)
    .option('--cmd <json>', 'its default arguments, as a JSON list', parseList)
    .option('-e, --env <NAME=value>', 'environment (again for more)', collect, [])
    .option('-w, --workdir <path>', 'working directory')
    .option('-u, --user <user>', 'user, as name or uid[:gid]')
    .option('--expose <port>', 'port, such as 8080 or 53/udp (again for more)', collect, [])
    .option('-l, --label <name=value>', 'label (again for more)', collect, [])
    .action(build);
  withDataDir(image.command('load'))
    .description('load an OCI layout tar or a docker-archive tar into every node')
    .argument('<file>', 'the tar')
    .action(async (file: string, flags: { dataDir: string }) => {
      await load(resolve(file), flags.dataDir);
    });
  withDataDir(image.command('list'))
    .alias('ls')
    .description('images of every node')
    .action(async (flags: { dataDir: string }) => {
      for (const node of await nodesOf(flags.dataDir)) {
        for (const found of await node.list()) {
          const size = `${(found.sizeBytes / 2 ** 20).toFixed(1)} MB`;
          for (const name of found.names) process.stdout.write(`${node.nodeName}  ${size.padStart(9)}  ${name}\n`);
        }
      }
    });
}

async function build(source: string, flags: BuildFlags): Promise<void> {
  const path = resolve(source);
  const scratch = flags.output === undefined ? await mkdtemp(join(tmpdir(), 'tiphys-build-')) : undefined;
  try {
    const output = scratch === undefined ? resolve(flags.output ?? '') : join(scratch, 'image.tar');
    const { buildImage } = await import('#node/image/build-image.ts');
    const built = await buildImage({
      source: { type: sourceType(path), path },
      flags: {
        env: flags.env,
        ports: flags.expose,
        labels: Object.fromEntries(flags.label.map(splitLabel)),
        ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint }),
        ...(flags.cmd === undefined ? {} : { cmd: flags.cmd }),
        ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
        ...(flags.user === undefined ? {} : { user: flags.user }),
      },
      name: flags.tag,
      output,
    });
    process.stderr.write(`built ${built.name} (${(built.sizeBytes / 2 ** 20).toFixed(1)} MB)\n`);
    if (scratch !== undefined) await load(output, flags.dataDir);
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

async function load(file: string, dataDir: string): Promise<void> {
  for (const node of await nodesOf(dataDir)) {
    const names = await node.load(file);
    process.stderr.write(`loaded into ${node.nodeName}: ${names.join(', ')}\n`);
  }
}

async function nodesOf(dataDir: string): Promise<NodeImages[]> {
  const { directory, state } = requireRunning(dataDir);
  if (state.runtime === 'simulated') {
    throw new CliError('simulated nodes have no images: every image counts as present');
  }
  const { readNodes } = await import('#cluster/machine/node-images.ts');
  return readNodes(directory, state, process.env);
}

function sourceType(path: string): 'directory' | 'tar' {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError(`cannot build an image from ${path}: it does not exist`);
  return found.isDirectory() ? 'directory' : 'tar';
}

function splitLabel(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function parseList(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new InvalidArgumentError('it must be a JSON list of strings, such as \'["/bin/web", "--port=80"]\'.');
}
