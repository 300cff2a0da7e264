// Owns the software GPU of the tests: SwiftShader, a Vulkan driver that computes on the processor.
// Takes it out of Debian's Chromium; nothing of the system is changed. Records how a process gets it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from './apt.mjs'

/** The driver, how the loader finds it, and the loader itself. */
const DRIVER = 'vk_swiftshader_icd.json'
const FILES = ['libvk_swiftshader.so', DRIVER, 'libvulkan.so.1']
const PACKAGE = 'chromium-common'
const FOLDER_IN_PACKAGE = 'usr/lib/chromium'
/** Where the package `webgpu` is found from. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROBE_TIMEOUT_MS = 60_000

const REMEDY = `The tests of the GPU engines need a software Vulkan driver. Debian's package ${PACKAGE} has one (SwiftShader), or set HEADSTART_TEST_VULKAN to the .json file of another one, such as a recent Mesa's lvp_icd.json.`

/** Prints whether the adapter that a process gets is a software one. */
const PROBE = `
import { create, globals } from 'webgpu'
Object.assign(globalThis, globals)
const adapter = await create([]).requestAdapter()
process.stdout.write(String(adapter?.info.isFallbackAdapter))
`

/** Whether Dawn computes on it. `env` is added to the environment. */
const isUsable = (env) => {
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', PROBE], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: PROBE_TIMEOUT_MS,
  })
  return status === 0 && stdout === 'true'
}

/** The loader reads both names of the setting; the newer one wins where it knows it. */
const settingsOf = (driver) => ({ VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver })

/** The driver that HEADSTART_TEST_VULKAN names, or none when it names none. */
const findAsked = (asked) => {
  if (asked === undefined) return undefined
  const env = settingsOf(resolve(asked))
  if (isUsable(env)) return env
  throw new Error(`HEADSTART_TEST_VULKAN is ${asked}, on which Dawn finds no software adapter`)
}

const findUnpacked = (folder) => {
  if (!FILES.every((name) => existsSync(join(folder, name)))) return undefined
  const env = { ...settingsOf(join(folder, DRIVER)), LD_LIBRARY_PATH: folder }
  return isUsable(env) ? env : undefined
}

const unpackDriver = async (folder) => {
  process.stderr.write('unpacking a software GPU for the tests\n')
  const whole = `${folder}.package`
  const fresh = `${folder}.new`
  try {
    for (const path of [whole, fresh]) await rm(path, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true })
    await unpackPackages({ names: [PACKAGE], folder: whole, remedy: REMEDY })
    for (const name of FILES)
      await copyFile(join(whole, FOLDER_IN_PACKAGE, name), join(fresh, name))
    await rm(folder, { recursive: true, force: true })
    await rename(fresh, folder)
  } finally {
    for (const path of [whole, fresh]) await rm(path, { recursive: true, force: true })
  }
  return findUnpacked(folder)
}

/**
 * Finds or unpacks the driver and records the environment of a process that is to compute on it.
 *
 * @param {object} request
 * @param {string} request.folder to unpack into.
 * @param {string} request.record path of the record, read by test/support/vulkan.ts.
 * @returns {Promise<Record<string, string>>} the environment.
 */
export const ensureTestVulkan = async ({ folder, record }) => {
  const env =
    findAsked(process.env.HEADSTART_TEST_VULKAN) ??
    findUnpacked(folder) ??
    (await unpackDriver(folder))
  if (env === undefined) throw new Error(`the driver in ${folder} does not work here.\n  ${REMEDY}`)
  await mkdir(dirname(record), { recursive: true })
  await writeFile(record, `${JSON.stringify(env)}\n`)
  return env
}
