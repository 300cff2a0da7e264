// Owns the wasm engine: TF.js on XNNPACK in WebAssembly, one thread, the same bits in any batch.
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import * as wasm from '@tensorflow/tfjs-backend-wasm'
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { EngineSettings } from '../engine-settings.js'
import type { Tfjs } from './tfjs.js'
import { startWasmQuietly } from './wasm-process.js'

/** Makes wasm the backend of this thread's TF.js. */
export const openWasm = async ({
  device,
}: EngineSettings): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  if (device !== 'auto' && device !== 'cpu')
    throw new HeadstartError('ENGINE_UNAVAILABLE', `the engine wasm has no device ${device}`)
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))
  wasm.setWasmPaths(folder + sep)
  await startWasmQuietly(() => core.setBackend('wasm'))
  await core.ready()
  const simd = await core.env().getAsync('WASM_HAS_SIMD_SUPPORT')
  return {
    tf: { core, layers, converter },
    info: {
      engine: 'wasm',
      version: `tfjs ${core.version_core}`,
      device: simd ? 'cpu (wasm simd)' : 'cpu (wasm)',
    },
  }
}
