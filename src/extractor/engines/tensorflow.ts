// Owns the tensorflow engine: libtensorflow through tfjs-node, loaded into an engine thread.

import { constants } from 'node:os'
import { pathToFileURL } from 'node:url'
import util from 'node:util'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { EngineSettings } from '../engine-settings.js'
import { assertDevice, deviceName } from './tensorflow-device.js'
import { findTensorflowPackage, tensorflowMissing } from './tensorflow-package.js'
import type { Tfjs } from './tfjs.js'

/** The part of tfjs-node that this engine uses; it re-exports core, layers and converter. */
type TfjsNode = Tfjs['core'] &
  Tfjs['layers'] &
  Tfjs['converter'] & { readonly version: Readonly<Record<string, string>> }

interface Backend {
  readonly binding?: { readonly TF_Version?: string }
  readonly isUsingGpuDevice?: boolean
}

export interface Tensorflow {
  readonly tf: Tfjs
  readonly info: EngineInfo
  /** Path of the package's entry. */
  readonly entry: string
}

/** Node 23 removed helpers that tfjs-node 4.22 still calls when it is loaded and when it runs. */
const restoreUtilHelpers = (): void => {
  const target = util as unknown as Record<string, unknown>
  target.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  target.isArray ??= Array.isArray
  target.isString ??= (value: unknown) => typeof value === 'string'
  target.isNumber ??= (value: unknown) => typeof value === 'number'
  target.isBoolean ??= (value: unknown) => typeof value === 'boolean'
}

/** RTLD_NODELETE of glibc, which Node has no name for. */
const KEEP_LOADED = 0x1000

/**
 * Node unloads a native module when its thread ends. libtensorflow leaves handlers behind that run at
 * the end of the process, so a process would crash there: the library has to stay.
 */
const keepingLibraries = async <T>(load: () => Promise<T>): Promise<T> => {
  const { dlopen } = process
  process.dlopen = (module, filename, flags = constants.dlopen.RTLD_LAZY) =>
    dlopen.call(process, module, filename, flags | KEEP_LOADED)
  try {
    return await load()
  } finally {
    process.dlopen = dlopen
  }
}

const loadPackage = async (entry: string): Promise<TfjsNode> => {
  restoreUtilHelpers()
  try {
    const load = () => import(pathToFileURL(entry).href)
    const loaded = (await keepingLibraries(load)) as TfjsNode & { default?: TfjsNode }
    const tf = loaded.default ?? loaded
    await tf.setBackend('tensorflow')
    await tf.ready()
    return tf
  } catch (error) {
    throw new HeadstartError('ENGINE_UNAVAILABLE', `${entry} does not load: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/**
 * Loads libtensorflow into this thread. The main thread has called prepareTensorflowEnvironment.
 *
 * @throws ENGINE_UNAVAILABLE when there is no package, its library does not load, or the device that
 *   was asked for is not there.
 */
export const openTensorflow = async (settings: EngineSettings): Promise<Tensorflow> => {
  const entry = findTensorflowPackage(settings)
  if (entry === null) throw tensorflowMissing(settings)
  const tf = await loadPackage(entry)
  const { binding, isUsingGpuDevice: usesGpu = false } = tf.backend() as unknown as Backend
  assertDevice(settings.device, usesGpu)
  return {
    tf: { core: tf, layers: tf, converter: tf },
    info: {
      engine: 'tensorflow',
      version: `tfjs ${tf.version['tfjs-core'] ?? ''}, libtensorflow ${binding?.TF_Version ?? 'unknown'}`,
      device: await deviceName(usesGpu),
    },
    entry,
  }
}
