// Owns the onnxruntime engine.
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { OnnxBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'

const missing = (): HeadstartError =>
  new HeadstartError('ENGINE_UNAVAILABLE', 'onnxruntime is not built yet')

export const probeOnnxruntime = async (_settings: EngineSettings): Promise<EngineInfo> => {
  throw missing()
}

export const openOnnxruntime = async (
  _request: EngineRequest,
  _base: OnnxBase,
): Promise<Engine> => {
  throw missing()
}

export const inspectOnnxBase = async (_base: OnnxBase): Promise<BaseInspection> => {
  throw missing()
}
