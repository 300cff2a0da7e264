// Owns the command that builds the engine tensorflow for this machine:
// `node scripts/build-tensorflow.mjs [--to <folder>] [--wheel <file>] [--gpu]`. Plain Node, no dependency.
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildTensorflow } from './tensorflow/build.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const HELP = `node scripts/build-tensorflow.mjs [options]

Builds tfjs-node against the TensorFlow of a PyPI wheel, for the engine tensorflow. Linux x86-64 with glibc;
needs g++, python3 with pip, npm and 1.8 GiB of disk (1.2 GiB stay). Done once: a finished build is kept.

  --to <folder>    where it goes (default: .cache/tensorflow of this checkout)
  --wheel <file>   a TensorFlow wheel on this disk, instead of the one that pip downloads
  --gpu            TensorFlow with GPU support, and CUDA's libraries (about 5 GiB; not tested on a GPU)
  --help           this text

Point Headstart to it with HEADSTART_TENSORFLOW=<folder>.
`

const parse = () => {
  const { values } = parseArgs({
    options: {
      to: { type: 'string', default: join(ROOT, '.cache/tensorflow') },
      wheel: { type: 'string' },
      gpu: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  return values
}

const run = async () => {
  const { to, wheel, gpu, help } = parse()
  if (help) return HELP
  const folder = resolve(to)
  const given = wheel === undefined ? {} : { wheel: resolve(wheel) }
  const { tensorflow, tfjs } = await buildTensorflow({ folder, gpu, ...given })
  const cuda = gpu
    ? `CUDA's libraries are found with LD_LIBRARY_PATH=$(echo ${folder}/python/nvidia/*/lib | tr ' ' :)\n`
    : ''
  return `${cuda}tfjs ${tfjs} on TensorFlow ${tensorflow}: HEADSTART_TENSORFLOW=${folder}\n`
}

try {
  process.stdout.write(await run())
} catch (error) {
  process.stderr.write(`build failed: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
