// Owns the tensorflow engine: libtensorflow through tfjs-node-gpu or tfjs-node, whichever is installed.
import { createRequire } from 'node:module'
import util from 'node:util'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { EngineSettings } from '../engine-settings.js'
import type { Tfjs } from './tfjs.js'

const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const

/** The part of tfjs-node that this engine uses; it re-exports core, layers and converter. */
type TfjsNode = Tfjs['core'] &
  Tfjs['layers'] &
  Tfjs['converter'] & {
    readonly version: Readonly<Record<string, string>>
    readonly node?: unknown
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

/**
 * Take GPU memory as it is needed, and log errors only. libtensorflow reads these when it is loaded;
 * a thread has a copy of the environment that native code does not see, so call this in the main one.
 */
export const prepareTensorflowEnvironment = (): void => {
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true'
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
}

/** The installed package, preferring the one that can use a GPU; null when there is none. */
export const findTensorflowPackage = (): string | null => {
  const require = createRequire(import.meta.url)
  for (const name of PACKAGES) {
    try {
      require.resolve(name)
      return name
    } catch {
      // Not installed: the next one may be.
    }
  }
  return null
}

/**
 * Loads libtensorflow into this thread.
 *
 * @throws ENGINE_UNAVAILABLE when no package is installed or its library does not load.
 */
export const openTensorflow = async (
  _settings: EngineSettings,
): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  const name = findTensorflowPackage()
  if (name === null)
    throw new HeadstartError(
      'ENGINE_UNAVAILABLE',
      `the engine tensorflow needs ${PACKAGES.join(' or ')}, and neither is installed`,
    )
  restoreUtilHelpers()
  try {
    const loaded = (await import(name)) as TfjsNode & { default?: TfjsNode }
    const tf = loaded.default ?? loaded
    await tf.setBackend('tensorflow')
    await tf.ready()
    const backend = tf.backend() as unknown as {
      binding?: { TF_Version?: string }
      isUsingGpuDevice?: boolean
    }
    return {
      tf: { core: tf, layers: tf, converter: tf },
      info: {
        engine: 'tensorflow',
        version: `tfjs ${tf.version['tfjs-core'] ?? ''}, libtensorflow ${backend.binding?.TF_Version ?? 'unknown'}`,
        device: backend.isUsingGpuDevice === true ? 'gpu' : 'cpu',
      },
    }
  } catch (error) {
    throw new HeadstartError('ENGINE_UNAVAILABLE', `${name} does not load: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
