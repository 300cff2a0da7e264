// Owns `engine: auto`: which engine a new extractor gets on this machine, and why.
import { messageOf } from '../errors.js'
import type { EngineInfo } from '../features/shard.js'
import { probeEngineInThread } from './engines/pool.js'
import { findTensorflowPackage } from './engines/tensorflow.js'
import type { EngineName, EngineRequestName } from './spec.js'

export interface ResolvedEngine {
  readonly name: EngineName
  /** See ExtractorSpec.fixedBatch. */
  readonly fixedBatch: number | null
}

/**
 * libtensorflow picks its kernels by the batch size, so its batches always have this size. The
 * wasm kernels compute each sample alone: their bits are the same in any batch.
 */
const FIXED_BATCH: Readonly<Record<EngineName, number | null>> = {
  wasm: null,
  tensorflow: 16,
  onnxruntime: null,
  webgpu: 16,
}

const resolved = (name: EngineName): ResolvedEngine => ({ name, fixedBatch: FIXED_BATCH[name] })

export interface EngineChoice {
  readonly engine: ResolvedEngine
  /** Why, for the user; null when the engine was asked for by name. */
  readonly reason: string | null
}

/**
 * Resolves a request for an engine. An engine that is asked for by name is probed when its first
 * batch runs; `auto` takes tensorflow where it is installed and loads, and wasm elsewhere.
 */
export const chooseEngine = async (request: EngineRequestName): Promise<EngineChoice> => {
  if (request !== 'auto') return { engine: resolved(request), reason: null }
  if (findTensorflowPackage() === null)
    return { engine: resolved('wasm'), reason: 'tfjs-node is not installed' }
  try {
    const { version, device } = await probeEngineInThread('tensorflow')
    return { engine: resolved('tensorflow'), reason: `${version} on ${device}` }
  } catch (error) {
    return { engine: resolved('wasm'), reason: messageOf(error) }
  }
}

export interface EngineReport {
  readonly engine: EngineName
  readonly available: boolean
  readonly info: EngineInfo | null
  readonly problem: string | null
}

/** Every engine and whether it runs here, for `doctor`. */
export const reportEngines = async (engines: readonly EngineName[]): Promise<EngineReport[]> => {
  const reports: EngineReport[] = []
  for (const engine of engines) {
    try {
      const info = await probeEngineInThread(engine)
      reports.push({ engine, available: true, info, problem: null })
    } catch (error) {
      reports.push({ engine, available: false, info: null, problem: messageOf(error) })
    }
  }
  return reports
}
