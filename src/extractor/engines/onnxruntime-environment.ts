// Owns what onnxruntime needs of the process before it is loaded, and what of it is installed. Does
// not load it.
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { DeviceRequest } from '../device.js'

/**
 * float32 on a GPU is float32: cuBLAS and cuDNN read this when they are loaded, and the Node binding
 * has no option for it. A thread has a copy of the environment that native code does not see, so call
 * this in the main one.
 */
export const prepareOnnxruntimeEnvironment = (): void => {
  process.env.NVIDIA_TF32_OVERRIDE = '0'
}

/** Whether this thread descends from one that was prepared. */
export const isTf32Off = (): boolean => process.env.NVIDIA_TF32_OVERRIDE === '0'

const PROVIDER_LIBRARIES = {
  cuda: 'libonnxruntime_providers_cuda.so',
  tensorrt: 'libonnxruntime_providers_tensorrt.so',
} as const

/** Whether the library of a provider that is downloaded apart lies beside onnxruntime. */
export const isProviderInstalled = (provider: keyof typeof PROVIDER_LIBRARIES): boolean => {
  try {
    const main = createRequire(import.meta.url).resolve('onnxruntime-node')
    const folder = join(dirname(main), '../bin/napi-v6', process.platform, process.arch)
    return existsSync(join(folder, PROVIDER_LIBRARIES[provider]))
  } catch {
    return false
  }
}

/** NVIDIA devices that the kernel driver shows to this process; 0 where there is no driver. */
export const countNvidiaDevices = (): number => {
  try {
    return readdirSync('/dev').filter((name) => /^nvidia\d+$/.test(name)).length
  } catch {
    return 0
  }
}

/** Whether onnxruntime is going to compute on a GPU, as far as that can be known without loading it. */
export const mayUseGpu = (device: DeviceRequest): boolean =>
  device === 'auto' ? isProviderInstalled('cuda') && countNvidiaDevices() > 0 : device !== 'cpu'
