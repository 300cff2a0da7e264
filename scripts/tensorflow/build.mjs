// Owns the build: tfjs-node from npm, compiled against the TensorFlow of a PyPI wheel, in a folder of its
// own. Safe when started twice at once; a build that was cut short is done again, a whole one costs nothing.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { withLock } from '../setup/lock.mjs'
import { installPackages } from '../setup/packages.mjs'
import { bindingPath, compileBinding } from './compile.mjs'
import { findBuild, writeManifest } from './manifest.mjs'
import { assertDiskSpace, platformProblem } from './platform.mjs'
import { downloadWheel, installCuda, sha256OfFile, unpackWheel, wheelOf } from './wheel.mjs'

const PACKAGES = join(import.meta.dirname, 'packages')
const CHECK = join(import.meta.dirname, 'check.mjs')
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']
const LOCK = 'build.lock'
/** Packages 0.3 GiB, libraries 0.8 GiB, the wheel while it is unpacked 0.3 GiB; CUDA's libraries 4 GiB. */
const NEEDED_MIB = { cpu: 1800, gpu: 7500 }

/** What the build writes is removed before it is written, so nobody else's folder will do. */
const assertOwn = async (folder) => {
  const names = (await readdir(folder)).filter((name) => name !== LOCK)
  if (names.length === 0) return
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '')
  // The name alone: the file may have been cut short with the build.
  if (!text.includes('"headstart-tensorflow"'))
    throw new Error(`${folder} has other files in it: give a new or an empty folder with --to`)
}

const check = async (folder) => {
  process.stderr.write('checking the build\n')
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [CHECK, folder])
    return JSON.parse(stdout.trim().split('\n').at(-1))
  } catch (error) {
    throw new Error(`the build does not run: ${error.stderr?.trim() || error.message}`, {
      cause: error,
    })
  }
}

const fetchWheel = async ({ folder, wheel, gpu }) => {
  const download = join(folder, 'download')
  await mkdir(download, { recursive: true })
  return wheel ?? downloadWheel({ gpu, folder: download })
}

const build = async ({ folder, wheel, gpu }) => {
  await assertOwn(folder)
  for (const name of ['headstart-tensorflow.json', 'python', 'include', 'download'])
    await rm(join(folder, name), { recursive: true, force: true })
  await assertDiskSpace(folder, gpu ? NEEDED_MIB.gpu : NEEDED_MIB.cpu)
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(join(PACKAGES, name), join(folder, name))
  const file = await fetchWheel({ folder, wheel, gpu })
  const sha256 = await sha256OfFile(file)
  const cuda = await unpackWheel({ wheel: file, folder })
  await rm(join(folder, 'download'), { recursive: true, force: true })
  if (gpu) await installCuda({ requirements: cuda, folder })
  // Its install script would download a TensorFlow of 2022.
  await installPackages({ folder, what: 'packages of tfjs-node', flags: ['--ignore-scripts'] })
  await compileBinding(folder)
  await rm(join(folder, 'include'), { recursive: true, force: true })
  return writeManifest(folder, {
    ...(await check(folder)),
    gpu,
    wheel: { file: basename(file), sha256 },
    binding: { sha256: await sha256OfFile(bindingPath(folder)), node: process.version },
    paths: [
      relative(folder, bindingPath(folder)),
      ...LIBRARIES.map((name) => `python/tensorflow/${name}`),
    ],
  })
}

/**
 * @param {object} request
 * @param {string} request.folder absolute; made when it is missing.
 * @param {string} [request.wheel] a TensorFlow wheel on this disk, in place of the pinned one from pip.
 * @param {boolean} [request.gpu] TensorFlow with GPU support, and CUDA's libraries.
 * @returns {Promise<object>} the manifest: versions, hashes.
 */
export const buildTensorflow = async ({ folder, wheel, gpu = false }) => {
  const problem = platformProblem()
  if (problem !== null) throw new Error(`TensorFlow cannot be built here: ${problem}`)
  const sha256 = wheel === undefined ? wheelOf(gpu).sha256 : await sha256OfFile(wheel)
  const wanted = { gpu, sha256 }
  const ready = await findBuild(folder, wanted)
  if (ready !== null) return ready
  return withLock(
    join(folder, LOCK),
    async () => (await findBuild(folder, wanted)) ?? build({ folder, wheel, gpu }),
  )
}
