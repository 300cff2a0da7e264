// Owns the way from an engine's name to the engine. Runs in engine threads only; each engine's
// library is loaded when it is asked for, never before.
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { LoadedBase, TfjsBase } from '../base/loaded-base.js'
import type { CompiledGraph } from '../compile/compiled-graph.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../engine-settings.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'
import type { Tfjs } from './tfjs.js'

/** Engines whose backend of TF.js is loaded into the thread itself. */
type TfjsEngineName = Exclude<EngineName, 'onnxruntime' | 'webgpu'>

const openBackend = async (
  name: TfjsEngineName,
  settings: EngineSettings,
): Promise<{ tf: Tfjs; info: EngineInfo }> => {
  switch (name) {
    case 'wasm':
      return (await import('./wasm.js')).openWasm(settings)
    case 'tensorflow':
      return (await import('./tensorflow.js')).openTensorflow(settings)
    default: {
      const unknown: never = name
      throw new HeadstartError('ENGINE_UNAVAILABLE', `there is no engine ${String(unknown)}`)
    }
  }
}

/** Whether and on what an engine runs here. */
export const probeEngine = async (
  name: EngineName,
  settings: EngineSettings,
): Promise<EngineInfo> =>
  name === 'onnxruntime'
    ? (await import('./onnxruntime.js')).probeOnnxruntime(settings)
    : name === 'webgpu'
      ? (await import('./webgpu-process.js')).probeWebgpu(settings)
      : (await openBackend(name, settings)).info

const unfit = (engine: EngineName, format: LoadedBase['format']): HeadstartError =>
  new HeadstartError('ENGINE_UNAVAILABLE', `the engine ${engine} cannot run a base in ${format}`)

export const openEngine = async (request: EngineRequest): Promise<Engine> => {
  const { engine, base, settings } = request
  if (engine === 'onnxruntime') {
    if (base.format !== 'onnx') throw unfit(engine, base.format)
    return (await import('./onnxruntime.js')).openOnnxruntime(request, base)
  }
  if (base.format === 'onnx') throw unfit(engine, base.format)
  if (base.format === 'saved-model') {
    if (engine !== 'tensorflow') throw unfit(engine, base.format)
    return (await import('./saved-model.js')).openSavedModel(request, base)
  }
  if (engine === 'webgpu')
    return (await import('./webgpu-process.js')).openWebgpuEngine(request, base)
  const { createTfjsEngine } = await import('./tfjs-engine.js')
  const { tf, info } = await openBackend(engine, settings)
  return createTfjsEngine(tf, info, request, base)
}

/** Input shape, cuts and parameters of a base, on the engine that every machine has for its format. */
export const inspectBase = async (
  base: LoadedBase,
  settings: EngineSettings,
): Promise<BaseInspection> => {
  if (base.format === 'onnx') return (await import('./onnxruntime.js')).inspectOnnxBase(base)
  if (base.format === 'saved-model')
    return (await import('./saved-model.js')).inspectSavedModel(base, settings)
  const { inspectTfjsBase } = await import('./tfjs-engine.js')
  const { tf } = await openBackend('wasm', DEFAULT_ENGINE_SETTINGS)
  return inspectTfjsBase(tf, base)
}

const compileTfjsBase = async (base: TfjsBase): Promise<CompiledGraph> => {
  if (base.format === 'graph-model')
    return (await import('../compile/graph-model.js')).compileGraphModel(base)
  const { loadTfjsModel } = await import('./tfjs.js')
  const { compileLayersModel } = await import('../compile/layers-model.js')
  const { tf } = await openBackend('wasm', DEFAULT_ENGINE_SETTINGS)
  const loaded = await loadTfjsModel(tf, base)
  try {
    if (loaded.format !== 'layers-model')
      throw new HeadstartError('INTERNAL', 'a GraphModel where a LayersModel was loaded')
    return await compileLayersModel(loaded.model)
  } finally {
    loaded.model.dispose()
  }
}

/** @throws BASE_LAYER_UNKNOWN when nothing of the base can be compiled. */
export const compileBase = async (base: LoadedBase): Promise<CompiledGraph> => {
  if (base.format === 'onnx' || base.format === 'saved-model')
    throw unfit('onnxruntime', base.format)
  return compileTfjsBase(base)
}
