// Owns the way from an engine's name to the engine. Runs in engine threads only.
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { LoadedBase } from '../base/load.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'
import type { Tfjs } from './tfjs.js'
import { createTfjsEngine, inspectTfjsBase } from './tfjs-engine.js'

const openBackend = async (name: EngineName): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  switch (name) {
    case 'wasm':
      return (await import('./wasm.js')).openWasm()
    case 'tensorflow':
      return (await import('./tensorflow.js')).openTensorflow()
    default: {
      const unknown: never = name
      throw new HeadstartError('ENGINE_UNAVAILABLE', `there is no engine ${String(unknown)}`)
    }
  }
}

/** Whether and on what an engine runs here. */
export const probeEngine = async (name: EngineName): Promise<EngineInfo> =>
  (await openBackend(name)).info

export const openEngine = async (request: EngineRequest): Promise<Engine> => {
  const { tf, info } = await openBackend(request.engine)
  return createTfjsEngine(tf, info, request)
}

export const inspectBase = async (
  engine: EngineName,
  base: LoadedBase,
): Promise<BaseInspection> => {
  const { tf } = await openBackend(engine)
  return inspectTfjsBase(tf, base)
}
