// Owns making the compiled form of a TF.js base: compiled once, compared with TF.js, stored with what
// was measured, or refused with the reason.
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../../errors.js'
import { canonicalJson } from '../../identity/canonical-json.js'
import { sha256 } from '../../identity/hash.js'
import type { Store } from '../../store/port.js'
import { baseFileKey } from '../base/file-key.js'
import { type BaseRecord, loadTfjsBase } from '../base/load.js'
import type { OnnxBase, TfjsBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import { compileBaseInThread } from '../engines/pool.js'
import { GRAPH_VERSION } from '../onnx/graph-version.js'
import { probeEngineOnce } from '../probe-engine.js'
import { isTfjsFormat } from '../spec.js'
import type { CompiledGraph } from './compiled-graph.js'
import { type ComparedEngine, measureDrift, pickComparedCuts } from './drift.js'
import { onnxBaseOf } from './load.js'
import { type CompiledRecord, compiledRecordKey, type Drift, loadCompiledRecord } from './record.js'

/** Relative to the largest value at the cut; what is farther from TF.js is refused. */
export const MAX_COMPILED_ERROR = 1e-4

export interface EnsureCompiledOptions {
  readonly settings: EngineSettings
  readonly signal?: AbortSignal | undefined
}

const refusal = (problem: string, graph?: CompiledGraph, drift: readonly Drift[] = []) => ({
  version: 1 as const,
  graph: GRAPH_VERSION,
  file: null,
  problem,
  unsupported: [...(graph?.unsupported ?? [])],
  cuts: [],
  drift: [...drift],
})

type CompiledBaseRecord = Pick<BaseRecord, 'baseId' | 'format' | 'inputShape' | 'cuts'>

/** Requests for the same base at the same time share one compilation. */
const underWay = new Map<string, Promise<CompiledRecord>>()

interface Made {
  readonly record: CompiledRecord
  readonly bytes: Uint8Array | null
}

/** Engines of this machine to be compared, the compiled form on a processor first. */
const comparedEngines = async (
  base: TfjsBase,
  compiled: OnnxBase,
  settings: EngineSettings,
): Promise<ComparedEngine[]> => {
  const here = await probeEngineOnce('onnxruntime', settings)
  const tensorflow = await probeEngineOnce('tensorflow', settings)
  return [
    { engine: 'onnxruntime', base: compiled, settings: { ...settings, device: 'cpu' } },
    ...(here.info === null || here.info.device === 'cpu'
      ? []
      : [{ engine: 'onnxruntime' as const, base: compiled, settings }]),
    ...(tensorflow.info === null ? [] : [{ engine: 'tensorflow' as const, base, settings }]),
  ]
}

/** Why the compiled form must not be used; null when it agrees with TF.js. */
export const refusalOf = (drift: readonly Drift[]): string | null => {
  // GPUs round in their own way: what is judged is the graph.
  const judged = drift.filter(({ engine, device }) => engine === 'onnxruntime' && device === 'cpu')
  if (judged.length === 0) return 'it has no cut that could be compared'
  const worst = Math.max(...judged.map(({ relative }) => relative))
  return worst <= MAX_COMPILED_ERROR
    ? null
    : `its features differ from those of TF.js by ${worst.toExponential(1)}; at most ${MAX_COMPILED_ERROR} is allowed`
}

/** Compiles and compares. Faults of the base are an answer; whatever else goes wrong throws. */
const makeCompiled = async (
  base: TfjsBase,
  { inputShape, cuts }: CompiledBaseRecord,
  settings: EngineSettings,
): Promise<Made> => {
  let graph: CompiledGraph
  try {
    graph = await compileBaseInThread(base)
  } catch (error) {
    if (!isHeadstartError(error, 'BASE_LAYER_UNKNOWN')) throw error
    return { record: refusal(error.message), bytes: null }
  }
  const { bytes } = graph
  const compiled = onnxBaseOf(base.baseId, bytes)
  const engines = await comparedEngines(base, compiled, settings)
  let drift: Drift[]
  try {
    const compared = pickComparedCuts(cuts, graph.cuts)
    drift = await measureDrift({ base, inputShape, cuts: compared, engines })
  } catch (error) {
    const problem = `it could not be compared with TF.js: ${messageOf(error)}`
    return { record: refusal(problem, graph), bytes: null }
  }
  const refused = refusalOf(drift)
  if (refused !== null) return { record: refusal(refused, graph, drift), bytes: null }
  const record: CompiledRecord = {
    version: 1,
    graph: GRAPH_VERSION,
    file: { sha256: sha256(bytes), bytes: bytes.length },
    problem: null,
    unsupported: [...graph.unsupported],
    cuts: [...graph.cuts],
    drift,
  }
  return { record, bytes }
}

const makeAndSave = async (
  store: Store,
  base: CompiledBaseRecord,
  { settings, signal }: EnsureCompiledOptions,
): Promise<CompiledRecord> => {
  const { baseId } = base
  const onnxruntime = await probeEngineOnce('onnxruntime', settings)
  // Says nothing of the base, so nothing is stored.
  if (onnxruntime.problem !== null) return refusal(onnxruntime.problem)
  const { record, bytes } = await makeCompiled(await loadTfjsBase(store, baseId), base, settings)
  assertNotAborted(signal)
  if (record.file !== null && bytes !== null)
    await store.putIfAbsent(baseFileKey(baseId, record.file.sha256), bytes)
  try {
    await store.putIfAbsent(compiledRecordKey(baseId), Buffer.from(canonicalJson(record)))
    return record
  } catch (error) {
    // Another machine measured other distances at the same time: its record is as good.
    const faster = isHeadstartError(error, 'STORE_CONFLICT')
      ? await loadCompiledRecord(store, baseId)
      : null
    if (faster === null) throw error
    return faster
  }
}

/**
 * What onnxruntime can do with a TF.js base; compiled now where that has not been done yet. Null for a
 * base of another format.
 *
 * @throws STORE_CORRUPT, ENGINE_FAILED, INTERRUPTED.
 */
export const ensureCompiled = async (
  store: Store,
  base: CompiledBaseRecord,
  { settings, signal }: EnsureCompiledOptions,
): Promise<CompiledRecord | null> => {
  const { baseId, format } = base
  if (!isTfjsFormat(format)) return null
  const existing = await loadCompiledRecord(store, baseId)
  if (existing !== null) return existing
  const key = `${store.url} ${baseId}`
  const compiling =
    underWay.get(key) ??
    makeAndSave(store, base, { settings, signal }).finally(() => underWay.delete(key))
  underWay.set(key, compiling)
  return compiling
}

/** Why onnxruntime cannot compute the cut; null when it can. */
export const compiledProblem = ({ cuts, problem }: CompiledRecord, cut: string): string | null =>
  cuts.includes(cut)
    ? null
    : `onnxruntime cannot compute ${cut}: ${problem ?? 'it needs what cannot be compiled'}`

/** @throws BASE_NOT_COMPILED unless the compiled form has the cut. */
export const assertCompiledCut = (record: CompiledRecord, cut: string): void => {
  const problem = compiledProblem(record, cut)
  if (problem === null) return
  const details = record.unsupported.map(({ path, className }) => `${path} (${className})`)
  throw new HeadstartError('BASE_NOT_COMPILED', problem, { details })
}
