// Owns what libtensorflow reads from the environment when it is loaded: the GPU, its memory, its
// arithmetic. One process computes on one choice; a second, different one is refused.
import { HeadstartError } from '../../errors.js'
import { parseDevice } from '../device.js'
import type { EngineSettings } from '../engine-settings.js'

type Environment = Record<string, string | undefined>

/** What was asked for and what that became: a child of this process must not count within it again. */
const MARK = 'HEADSTART_TENSORFLOW_DEVICE'

const unavailable = (message: string): HeadstartError =>
  new HeadstartError('ENGINE_UNAVAILABLE', message)

/**
 * The value of CUDA_VISIBLE_DEVICES that leaves only the device that was asked for. Pure.
 *
 * @param visible the value that the process was started with; undefined: every GPU.
 * @returns undefined: as it is.
 * @throws ENGINE_UNAVAILABLE for a device that is no device of TensorFlow, or a GPU that is not visible.
 */
export const visibleGpuFor = (
  request: EngineSettings['device'],
  visible: string | undefined,
): string | undefined => {
  const device = parseDevice(request)
  if (device === null) return visible
  if (device.kind === 'cpu') return '-1'
  if (device.kind !== 'cuda')
    throw unavailable(`the engine tensorflow has no device ${request}; it has cpu and cuda`)
  if (visible === undefined) return String(device.index)
  const gpus = visible.split(',').map((part) => part.trim())
  // CUDA ends the list at the first entry that names no GPU.
  const end = gpus.findIndex((gpu) => gpu === '' || gpu === '-1')
  const shown = end === -1 ? gpus : gpus.slice(0, end)
  const gpu = shown[device.index]
  if (gpu === undefined)
    throw unavailable(
      `there is no ${request}: CUDA_VISIBLE_DEVICES shows ${shown.length} GPUs to this process`,
    )
  return gpu
}

/**
 * Writes the choice into an environment.
 *
 * @throws the errors of visibleGpuFor.
 */
export const applyTensorflowChoice = (
  environment: Environment,
  { device }: Pick<EngineSettings, 'device'>,
): void => {
  const { CUDA_VISIBLE_DEVICES: visible } = environment
  const isInherited = environment[MARK] === `${device} ${visible}`
  const gpu = isInherited ? visible : visibleGpuFor(device, visible)
  if (gpu !== undefined) environment.CUDA_VISIBLE_DEVICES = gpu
  environment[MARK] = `${device} ${gpu}`
  // Indexes in the order in which nvidia-smi lists the GPUs.
  environment.CUDA_DEVICE_ORDER ??= 'PCI_BUS_ID'
  environment.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true'
  environment.TF_CPP_MIN_LOG_LEVEL ??= '2'
  // The same kernels in every process, so that features computed again have the same bits.
  environment.TF_DETERMINISTIC_OPS ??= '1'
  // fp32 means fp32: no GPU rounds products to 10 bits.
  environment.NVIDIA_TF32_OVERRIDE = '0'
}

let chosen: { readonly device: string; readonly folder: string | null } | undefined

/**
 * Call it in the main thread before a thread loads libtensorflow: native code reads the environment
 * of the process, and a thread has only a copy of that.
 *
 * @throws ENGINE_UNAVAILABLE for a device that cannot be had, or when this process computes on another
 *   device or with another build already.
 */
export const prepareTensorflowEnvironment = (settings: EngineSettings): void => {
  const { device, tensorflowFolder: folder } = settings
  if (chosen === undefined) {
    applyTensorflowChoice(process.env, settings)
    chosen = { device, folder }
    return
  }
  if (chosen.device !== device || chosen.folder !== folder)
    throw unavailable(
      `this process runs TensorFlow on ${chosen.device} from ${chosen.folder ?? 'the installed package'}; ${device} from ${folder ?? 'the installed package'} needs a process of its own`,
    )
}
