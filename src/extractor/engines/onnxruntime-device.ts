// Owns on which device onnxruntime computes: `auto` looks for one, a named one is there or is an error.
import { type Device, type DeviceKind, type DeviceRequest, parseDevice } from '../device.js'
import { countNvidiaDevices, isProviderInstalled, isTf32Off } from './onnxruntime-environment.js'
import { unavailable } from './onnxruntime-errors.js'
import type { Onnxruntime } from './onnxruntime-library.js'
import { openProbeSession } from './onnxruntime-session.js'

const HOW_TO_INSTALL_CUDA =
  'run `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js` on Linux x64, ' +
  'and have an NVIDIA driver, CUDA 12 and cuDNN 9 in the library path'

/** What must be there for a device; null when nothing is known to be missing. */
const missingFor = ({ kind, index }: Device): string | null => {
  if (kind !== 'cuda' && kind !== 'tensorrt') return null
  if (!isProviderInstalled(kind))
    return `the ${kind} provider of onnxruntime is not installed: ${HOW_TO_INSTALL_CUDA}${kind === 'tensorrt' ? ', and TensorRT 10' : ''}`
  const devices = countNvidiaDevices()
  if (index >= devices) return `there is no NVIDIA device ${index}: this process sees ${devices}`
  if (!isTf32Off())
    return 'NVIDIA_TF32_OVERRIDE=0 must be in the environment of the process, so that fp32 is fp32'
  return null
}

const REMEDIES: Readonly<Record<DeviceKind, string>> = {
  cpu: 'onnxruntime-node has binaries for Linux with glibc, macOS on arm64, and Windows',
  cuda: HOW_TO_INSTALL_CUDA,
  tensorrt: `${HOW_TO_INSTALL_CUDA}, and TensorRT 10`,
  webgpu: 'a GPU with a Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows) driver is needed',
}

/** Computes a few numbers on the device and nowhere else. @throws ENGINE_UNAVAILABLE */
const assertUsable = async (ort: Onnxruntime, device: Device): Promise<void> => {
  const missing = missingFor(device)
  if (missing !== null) throw unavailable(missing)
  try {
    await openProbeSession(ort, device)
  } catch (error) {
    throw unavailable(
      `onnxruntime cannot use the device ${nameOf(device)} (${REMEDIES[device.kind]})`,
      error,
    )
  }
}

/** As it is recorded with features: `cpu`, `webgpu`, `cuda:0`. */
export const nameOf = ({ kind, index }: Device): string =>
  kind === 'cuda' || kind === 'tensorrt' ? `${kind}:${index}` : kind

/**
 * `auto` is the first CUDA device where its provider is installed and works, else the CPU.
 *
 * @throws ENGINE_UNAVAILABLE when a device that was named cannot be used.
 */
export const resolveDevice = async (ort: Onnxruntime, request: DeviceRequest): Promise<Device> => {
  const named = parseDevice(request)
  const cpu: Device = { kind: 'cpu', index: 0 }
  if (named?.kind === 'cpu') return cpu
  if (named !== null) {
    await assertUsable(ort, named)
    return named
  }
  const cuda: Device = { kind: 'cuda', index: 0 }
  if (missingFor(cuda) !== null) return cpu
  return assertUsable(ort, cuda).then(
    () => cuda,
    () => cpu,
  )
}
