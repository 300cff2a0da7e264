// Owns what TensorFlow computes on, once it is loaded: whether that is what was asked for, and its name.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { HeadstartError } from '../../errors.js'
import { parseDevice } from '../device.js'
import type { EngineSettings } from '../engine-settings.js'

const NVIDIA_SMI_TIMEOUT_MS = 10_000

/**
 * A GPU that was asked for is never replaced by the processor, nor the other way round.
 *
 * @throws ENGINE_UNAVAILABLE
 */
export const assertDevice = (request: EngineSettings['device'], usesGpu: boolean): void => {
  const wanted = parseDevice(request)
  if (wanted?.kind === 'cuda' && !usesGpu)
    throw new HeadstartError(
      'ENGINE_UNAVAILABLE',
      `the device ${request} was asked for, and TensorFlow sees no GPU`,
      {
        details: [
          "it needs NVIDIA's driver (nvidia-smi lists the GPUs) and a TensorFlow with GPU support: docs/tensorflow.md says how",
          'HEADSTART_DEVICE=cpu computes on the processor',
        ],
      },
    )
  if (wanted?.kind === 'cpu' && usesGpu)
    throw new HeadstartError(
      'ENGINE_UNAVAILABLE',
      'the device cpu was asked for, and TensorFlow was loaded with a GPU in this process',
    )
}

/**
 * The name of the GPU that tfjs-node computes on, the last one that this process sees; null where
 * nvidia-smi does not say.
 */
const gpuName = async (): Promise<string | null> => {
  const visible = process.env.CUDA_VISIBLE_DEVICES?.split(',').at(-1)?.trim()
  const given = ['--query-gpu=name', '--format=csv,noheader', ...(visible ? ['-i', visible] : [])]
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', given, {
      timeout: NVIDIA_SMI_TIMEOUT_MS,
    })
    return stdout.trim().split('\n').at(-1) || null
  } catch {
    return null
  }
}

/** For the record beside the features: `cpu`, or `gpu (NVIDIA H100 PCIe)`. */
export const deviceName = async (usesGpu: boolean): Promise<string> => {
  if (!usesGpu) return 'cpu'
  const name = await gpuName()
  return name === null ? 'gpu' : `gpu (${name})`
}
