// Owns the webgpu engine: TF.js on Dawn. Lives in a process of its own (webgpu-process.ts).
// Refuses a software adapter unless the device is named.
import { createRequire } from 'node:module'
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { EngineSettings } from '../engine-settings.js'
import type { Tfjs } from './tfjs.js'
import { type AdapterInfo, isSoftwareAdapter, nameOfAdapter } from './webgpu-adapter.js'
import { guardWebgpuBackend, type WebgpuBackend } from './webgpu-guard.js'
import { areWebgpuPackagesInstalled, WEBGPU_PACKAGES } from './webgpu-packages.js'

const [DAWN, BACKEND] = WEBGPU_PACKAGES

interface Adapter {
  readonly info: AdapterInfo
}

interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<Adapter | null>
}

interface Dawn {
  create(options: string[]): Gpu
  /** GPUBuffer, GPUBufferUsage and the like, which the backend expects among the globals. */
  readonly globals: Record<string, unknown>
}

const unavailable = (message: string, cause?: unknown): HeadstartError =>
  new HeadstartError('ENGINE_UNAVAILABLE', message, { cause })

const loadGpu = async (): Promise<Gpu> => {
  if (!areWebgpuPackagesInstalled())
    throw unavailable(
      'the engine webgpu needs two packages: `npm install webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0`',
    )
  let dawn: Dawn
  try {
    dawn = (await import(DAWN)) as Dawn
  } catch (error) {
    throw unavailable(
      `the package ${DAWN} does not load on ${process.platform} ${process.arch}: ${messageOf(error)}`,
      error,
    )
  }
  Object.assign(globalThis, dawn.globals)
  return dawn.create([])
}

const requestAdapter = async (gpu: Gpu): Promise<Adapter> => {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (adapter === null)
    throw unavailable(
      'the engine webgpu finds no GPU: it needs one with a Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows) driver',
    )
  return adapter
}

/** The backend registers itself when it is loaded, where it finds `navigator.gpu` then. */
const startBackend = async (gpu: Gpu, adapter: Adapter): Promise<void> => {
  // The adapter that was looked at is the one that computes.
  gpu.requestAdapter = async () => adapter
  const scope = globalThis as { navigator?: object }
  scope.navigator ??= {}
  // It also holds Dawn, which ends under its own adapter once nobody has this object.
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true })
  try {
    await import(BACKEND)
    if (!(await core.setBackend('webgpu'))) throw new Error('it did not start')
    await core.ready()
  } catch (error) {
    throw unavailable(`${BACKEND} does not work here: ${messageOf(error)}`, error)
  }
  guardWebgpuBackend(core.backend() as unknown as WebgpuBackend)
}

const versionOfDawn = (): string => {
  const { version } = createRequire(import.meta.url)(`${DAWN}/package.json`) as { version: string }
  return version
}

/**
 * Makes WebGPU the backend of this process's TF.js. Call it once in a process.
 *
 * @throws ENGINE_UNAVAILABLE when a package or a GPU is missing, for a device that is not `auto` or
 *   `webgpu`, and for a software adapter where the device is `auto`.
 */
export const openWebgpu = async ({
  device,
}: EngineSettings): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  if (device !== 'auto' && device !== 'webgpu')
    throw unavailable(`the engine webgpu has no device ${device}; it has auto and webgpu`)
  const gpu = await loadGpu()
  const adapter = await requestAdapter(gpu)
  const name = nameOfAdapter(adapter.info)
  if (device === 'auto' && isSoftwareAdapter(adapter.info))
    throw unavailable(
      `the engine webgpu finds a software adapter only, ${name}, which is slow; the device webgpu takes it all the same`,
    )
  await startBackend(gpu, adapter)
  return {
    tf: { core, layers, converter },
    info: {
      engine: 'webgpu',
      version: `tfjs ${core.version_core}, webgpu ${versionOfDawn()}`,
      device: name,
    },
  }
}
