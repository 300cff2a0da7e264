// Owns `engine: auto`: which engine a new extractor gets on this machine, and why; and whether an
// engine that was asked for by name can compute the base.
import { HeadstartError } from '../errors.js'
import type { Store } from '../store/port.js'
import type { BaseRecord } from './base/load.js'
import { assertCompiledCut, compiledProblem, ensureCompiled } from './compile/ensure.js'
import { parseDevice } from './device.js'
import type { EngineSettings } from './engine-settings.js'
import { FIXED_BATCH } from './fixed-batch.js'
import { probeEngineOnce } from './probe-engine.js'
import type { BaseFormat, EngineName, EngineRequestName, Precision } from './spec.js'

export interface ResolvedEngine {
  readonly name: EngineName
  /** See ExtractorSpec.fixedBatch. */
  readonly fixedBatch: number | null
  readonly precision: Precision
}

export interface EngineChoiceRequest {
  readonly engine: EngineRequestName
  readonly precision: Precision
  readonly base: Pick<BaseRecord, 'baseId' | 'format' | 'inputShape' | 'cuts'>
  readonly cut: string
}

export interface EngineContext {
  readonly store: Store
  readonly settings: EngineSettings
  readonly signal?: AbortSignal | undefined
}

export interface EngineChoice {
  readonly engine: ResolvedEngine
  /** Why, for the user; null when the engine was asked for by name. */
  readonly reason: string | null
}

/**
 * Engines that can compute a format, fastest first as measured (docs/benchmarks.md). webgpu is never
 * chosen by itself: it is experimental.
 */
export const ENGINES_OF: Readonly<Record<BaseFormat, readonly EngineName[]>> = {
  'layers-model': ['onnxruntime', 'tensorflow', 'wasm'],
  'graph-model': ['onnxruntime', 'tensorflow', 'wasm'],
  onnx: ['onnxruntime'],
  'saved-model': ['tensorflow'],
}

const CAN_COMPUTE: Readonly<Record<EngineName, readonly BaseFormat[]>> = {
  wasm: ['layers-model', 'graph-model'],
  tensorflow: ['layers-model', 'graph-model', 'saved-model'],
  onnxruntime: ['layers-model', 'graph-model', 'onnx'],
  webgpu: ['layers-model', 'graph-model'],
}

const isGpu = (device: string): boolean => !device.startsWith('cpu')

interface Candidate {
  readonly name: EngineName
  readonly says: string
  readonly gpu: boolean
}

/** @returns the candidate, or why it is none. */
const tryEngine = async (
  name: EngineName,
  { base, cut }: EngineChoiceRequest,
  { store, settings, signal }: EngineContext,
): Promise<Candidate | string> => {
  const { info, problem } = await probeEngineOnce(name, settings)
  if (info === null) return problem ?? 'does not start'
  if (name === 'onnxruntime') {
    const compiled = await ensureCompiled(store, base, { settings, signal })
    const refused = compiled === null ? null : compiledProblem(compiled, cut)
    if (refused !== null) return refused
  }
  return { name, says: `${info.version} on ${info.device}`, gpu: isGpu(info.device) }
}

const resolved = (name: EngineName, precision: Precision): ResolvedEngine => ({
  name,
  fixedBatch: FIXED_BATCH[name],
  precision,
})

/** Half precision is the business of onnxruntime on a GPU; the engine itself refuses a CPU. */
const assertPrecision = (engine: EngineName, precision: Precision): void => {
  if (precision === 'fp16' && engine !== 'onnxruntime')
    throw new HeadstartError('ENGINE_UNAVAILABLE', `the engine ${engine} has no precision fp16`)
}

const chooseNamed = async (
  name: EngineName,
  request: EngineChoiceRequest,
  context: EngineContext,
): Promise<EngineChoice> => {
  const { base, precision, cut } = request
  if (!CAN_COMPUTE[name].includes(base.format))
    throw new HeadstartError(
      'ENGINE_UNAVAILABLE',
      `the engine ${name} cannot compute a base in the format ${base.format}; ${ENGINES_OF[base.format].join(', ')} can`,
    )
  assertPrecision(name, precision)
  if (name === 'onnxruntime') {
    const compiled = await ensureCompiled(context.store, base, context)
    if (compiled !== null) assertCompiledCut(compiled, cut)
  }
  return { engine: resolved(name, precision), reason: null }
}

/** Where a CPU was asked for by name, no engine has a GPU to offer. */
const mayHaveGpu = (engine: EngineName, { device }: EngineSettings): boolean =>
  engine !== 'wasm' && parseDevice(device)?.kind !== 'cpu'

/**
 * Resolves a request for an engine. `auto` takes the first engine that runs here, can compute the
 * base, and has a GPU where any of them has one.
 *
 * @throws ENGINE_UNAVAILABLE when none can, or the one that was asked for cannot; BASE_NOT_COMPILED.
 */
export const chooseEngine = async (
  request: EngineChoiceRequest,
  context: EngineContext,
): Promise<EngineChoice> => {
  const { engine, precision, base } = request
  if (engine !== 'auto') return chooseNamed(engine, request, context)
  const names: readonly EngineName[] =
    precision === 'fp16' ? ['onnxruntime'] : ENGINES_OF[base.format]
  const refused: string[] = []
  let best: Candidate | undefined
  for (const name of names) {
    // Slower on the same processor: only a GPU that the better one has not would change that.
    if (best !== undefined && !mayHaveGpu(name, context.settings)) continue
    const found = await tryEngine(name, request, context)
    if (typeof found !== 'string') best = found.gpu || best === undefined ? found : best
    else if (best === undefined) refused.push(`${name}: ${found}`)
    if (best?.gpu) break
  }
  if (best === undefined)
    throw new HeadstartError('ENGINE_UNAVAILABLE', 'no engine can compute this base here', {
      details: refused,
    })
  const passed = refused.length === 0 ? '' : `; not ${refused.join('; not ')}`
  return { engine: resolved(best.name, precision), reason: `${best.says}${passed}` }
}
