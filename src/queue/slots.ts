// Owns the stage processes of a worker: one an accelerator, one for engines on the processor.
import { readdir } from 'node:fs/promises'
import { HeadstartError } from '../errors.js'
import type { DeviceRequest } from '../extractor/device.js'
import { isProviderInstalled } from '../extractor/engines/onnxruntime-environment.js'
import type { EngineName } from '../extractor/spec.js'
import { createStageProcess, type StageProcess, type StageProcessOptions } from './supervisor.js'

/** Where the NVIDIA driver lists its devices. */
const NVIDIA_DEVICES = '/proc/driver/nvidia/gpus'

/**
 * Devices that this process may use, as CUDA_VISIBLE_DEVICES names them.
 *
 * @param visible the variable; undefined: all there are.
 */
export const listGpus = async (visible: string | undefined): Promise<readonly string[]> => {
  if (visible !== undefined)
    return visible
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '' && part !== '-1')
  const devices = await readdir(NVIDIA_DEVICES).catch(() => [])
  return devices.map((_, index) => String(index))
}

/** Whether this engine computes on every NVIDIA GPU here, rather than on a device that was named. */
const usesAllGpus = (engine: EngineName, device: DeviceRequest): boolean => {
  if (engine === 'tensorflow') return device === 'auto' || device === 'cuda'
  return (
    engine === 'onnxruntime' &&
    (device === 'auto' || device === 'cuda' || device === 'tensorrt') &&
    isProviderInstalled('cuda')
  )
}

/** One environment a stage process: each sees one device. */
export const environmentsOf = (
  engine: EngineName,
  gpus: readonly string[],
  device: DeviceRequest,
): readonly Readonly<Record<string, string>>[] =>
  gpus.length > 0 && usesAllGpus(engine, device)
    ? gpus.map((gpu) => ({ CUDA_VISIBLE_DEVICES: gpu }))
    : [{}]

/** Processes that are lent to one job at a time. */
export interface Slots {
  readonly count: number
  use<T>(work: (stage: StageProcess) => Promise<T>): Promise<T>
  close(force: boolean): Promise<void>
}

export const createSlots = (
  environments: readonly Readonly<Record<string, string>>[],
  options: Omit<StageProcessOptions, 'environment'>,
): Slots => {
  const all = environments.map((environment) => createStageProcess({ ...options, environment }))
  const idle = [...all]
  return {
    count: all.length,
    use: async (work) => {
      const stage = idle.pop()
      if (stage === undefined)
        throw new HeadstartError('INTERNAL', 'more jobs at a time than stage processes')
      try {
        return await work(stage)
      } finally {
        idle.push(stage)
      }
    },
    close: async (force) => {
      await Promise.all(all.map((stage) => stage.close(force)))
    },
  }
}
