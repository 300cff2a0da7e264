// Owns the comparison of engines: the same inputs through each of them, against TF.js on wasm.
import type { LoadedBase, TfjsBase } from '../base/loaded-base.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../engine-settings.js'
import type { BaseInspection, EngineInput } from '../engines/engine.js'
import { createEnginePool, type EnginePool } from '../engines/pool.js'
import { FIXED_BATCH } from '../fixed-batch.js'
import { loadProbeInputs, type ProbeInputs, probeInputSpec } from '../probe-inputs.js'
import type { EngineName, ExtractorSpec } from '../spec.js'
import type { Drift } from './record.js'

/** Cuts at which engines are compared: the last ones depend on every layer before them. */
const COMPARED_CUTS = 2

/** An engine to be compared with TF.js on wasm, and the form of the base that it takes. */
export interface ComparedEngine {
  readonly engine: EngineName
  readonly base: LoadedBase
  readonly settings: EngineSettings
}

export interface DriftRequest {
  readonly base: TfjsBase
  readonly inputShape: BaseInspection['inputShape']
  /** See pickComparedCuts. */
  readonly cuts: readonly string[]
  readonly engines: readonly ComparedEngine[]
}

/** The last cuts that the compiled form has, of different widths where there are such. */
export const pickComparedCuts = (
  cuts: BaseInspection['cuts'],
  compiled: readonly string[],
): string[] => {
  const known = new Set(compiled)
  const picked: { readonly path: string; readonly shape: string }[] = []
  for (const { path, shape } of [...cuts].reverse()) {
    const text = shape.join()
    if (!known.has(path) || picked.some((other) => other.shape === text)) continue
    picked.push({ path, shape: text })
    if (picked.length === COMPARED_CUTS) break
  }
  return picked.map(({ path }) => path)
}

interface Answer {
  readonly values: readonly Float32Array[]
  readonly version: string
  readonly device: string
}

const copyOf = (data: EngineInput): EngineInput =>
  data instanceof Float32Array ? new Float32Array(data) : new Uint8Array(data)

/** One engine, one cut: what it makes of each kind of inputs. */
const answersOf = async (
  { engine, base, settings }: ComparedEngine,
  cut: string,
  input: ExtractorSpec['input'],
  inputs: readonly ProbeInputs[],
): Promise<Answer> => {
  const fixedBatch = FIXED_BATCH[engine]
  const pool: EnginePool = createEnginePool(
    { base, engine, settings, precision: 'fp32', cut, pooling: 'avg', fixedBatch, input },
    { threads: 1 },
  )
  try {
    const values: Float32Array[] = []
    let info = { version: '', device: '' }
    for (const { data, samples } of inputs) {
      // A pool takes over what it is given.
      const answer = await pool.forward({ data: copyOf(data), count: samples })
      values.push(answer.values)
      info = answer.info
    }
    return { values, version: info.version, device: info.device }
  } finally {
    await pool.close()
  }
}

/** max and mean of |a - b|, and max relative to the largest |b|. NaN counts as infinitely far. */
export const compareFeatures = (
  a: Float32Array,
  b: Float32Array,
): Pick<Drift, 'maxAbs' | 'meanAbs' | 'relative'> => {
  let [maxAbs, sum, largest] = [0, 0, 0]
  for (let i = 0; i < b.length; i += 1) {
    const reference = b[i] as number
    const distance = Math.abs((a[i] ?? Number.NaN) - reference)
    const finite = Number.isFinite(distance) ? distance : Number.MAX_VALUE
    if (finite > maxAbs) maxAbs = finite
    sum += finite / b.length
    if (Math.abs(reference) > largest) largest = Math.abs(reference)
  }
  const relative = maxAbs === 0 ? 0 : Math.min(maxAbs / largest, Number.MAX_VALUE)
  return { maxAbs, meanAbs: Math.min(sum, Number.MAX_VALUE), relative }
}

/**
 * Runs noise and photographs through wasm and each of the engines, at each of the cuts.
 *
 * @throws the errors of an engine that does not run.
 */
export const measureDrift = async (request: DriftRequest): Promise<Drift[]> => {
  const { base, inputShape, cuts, engines } = request
  const input = probeInputSpec(inputShape)
  const inputs = await loadProbeInputs(input)
  const wasm: ComparedEngine = { engine: 'wasm', base, settings: DEFAULT_ENGINE_SETTINGS }
  const measured: Drift[] = []
  for (const cut of cuts) {
    const reference = await answersOf(wasm, cut, input, inputs)
    for (const compared of engines) {
      const { values, version, device } = await answersOf(compared, cut, input, inputs)
      inputs.forEach(({ kind, samples }, i) => {
        const [a, b] = [values[i], reference.values[i]]
        if (a === undefined || b === undefined) return
        const { engine } = compared
        const distance = compareFeatures(a, b)
        measured.push({ engine, version, device, cut, inputs: kind, samples, ...distance })
      })
    }
  }
  return measured
}
