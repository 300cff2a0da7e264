// Owns the wheel that TensorFlow's libraries and headers come from: which one, its download, its hash,
// and unpacking the part that is needed. pip does the download, so mirrors and proxies are pip's matter.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { runCommand } from '../setup/command.mjs'
import { pipSettings } from '../setup/pip-settings.mjs'

export const TENSORFLOW_VERSION = '2.21.0'

/**
 * One wheel for every machine: only libraries and C headers of it are used, which are the same for all
 * versions of Python. The wheel with GPU support has no hash here: it is recorded, not compared.
 */
const CPU_SHA256 = '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c'
const TARGET = ['--python-version=3.11', '--implementation=cp', '--abi=cp311']
const PLATFORM = '--platform=manylinux_2_27_x86_64'
const UNPACK = join(import.meta.dirname, 'unpack-wheel.py')
const REMEDY = 'The build needs python3 with pip (Debian: python3 and python3-pip) and its index.'

/** @param {boolean} gpu */
export const wheelOf = (gpu) => ({
  project: gpu ? 'tensorflow' : 'tensorflow-cpu',
  /** Null: any; what was taken is recorded. */
  sha256: gpu ? null : CPU_SHA256,
})

/** @param {string} file @returns {Promise<string>} hex. */
export const sha256OfFile = async (file) => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk)
  return hash.digest('hex')
}

/**
 * @param {{ gpu: boolean, folder: string }} request `folder`: empty; gets the wheel.
 * @returns {Promise<string>} path of the wheel.
 */
export const downloadWheel = async ({ gpu, folder }) => {
  const { project, sha256 } = wheelOf(gpu)
  const requirement = `${project}==${TENSORFLOW_VERSION}`
  process.stderr.write(`downloading ${requirement}\n`)
  const list = join(folder, 'requirements.txt')
  await writeFile(list, sha256 === null ? requirement : `${requirement} --hash=sha256:${sha256}\n`)
  // pip keeps no copy of its own: the wheel is needed once.
  const options = ['--no-deps', '--no-cache-dir', '--only-binary=:all:', ...TARGET, PLATFORM]
  const given = ['-m', 'pip', 'download', '--quiet', ...options, '--dest', folder, '-r', list]
  const settings = { cwd: folder, env: pipSettings(), remedy: REMEDY }
  await runCommand('python3', given, settings)
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error(`pip left no wheel of ${requirement} in ${folder}`)
  return join(folder, wheel)
}

/**
 * Libraries to `<folder>/python/tensorflow`, headers to `<folder>/include`.
 *
 * @param {{ wheel: string, folder: string }} request
 * @returns {Promise<string[]>} requirements of the CUDA libraries that this TensorFlow was made for.
 */
export const unpackWheel = async ({ wheel, folder }) => {
  process.stderr.write(`unpacking ${basename(wheel)}\n`)
  try {
    const { stdout } = await promisify(execFile)('python3', [UNPACK, wheel, folder])
    return stdout.split('\n').filter((line) => line !== '')
  } catch (error) {
    const said = error.stderr?.trim() || error.message
    throw new Error(`${wheel} cannot be unpacked: ${said}\n  ${REMEDY}`, { cause: error })
  }
}

/**
 * Installs the CUDA libraries beside the TensorFlow that looks for them.
 *
 * @param {{ requirements: readonly string[], folder: string }} request
 */
export const installCuda = async ({ requirements, folder }) => {
  if (requirements.length === 0)
    throw new Error('the wheel names no CUDA libraries: it is no TensorFlow with GPU support')
  process.stderr.write('installing the CUDA libraries\n')
  const target = join(folder, 'python')
  const options = ['--quiet', '--no-cache-dir', '--no-compile', '--only-binary=:all:']
  const given = ['-m', 'pip', 'install', ...options, '--target', target, ...requirements]
  await runCommand('python3', given, { cwd: folder, env: pipSettings(), remedy: REMEDY })
}
