// Owns the one forward path: content bytes in, feature rows out. Extraction, parity, predict and
// export all call `rows`; there is no other way from a sample to features.
import { HeadstartError, isHeadstartError } from '../errors.js'
import { type EngineInfo, widthOf } from '../features/shard.js'
import type { Sha256 } from '../identity/hash.js'
import type { LoadedBase } from './base/loaded-base.js'
import { decoderVersion } from './decode.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from './engine-settings.js'
import { createEnginePool, type EnginePool } from './engines/pool.js'
import { batchSizeOf } from './fixed-batch.js'
import { decodeSample, type SampleContent } from './input.js'
import { assertOnePass } from './passes.js'
import { type ExtractorSpec, extractorIdOfSpec } from './spec.js'

export type { SampleContent } from './input.js'

/** A row of features, or why the content has none. */
export type Row =
  | { readonly ok: true; readonly features: Float32Array }
  | { readonly ok: false; readonly reason: string }

interface ForwardPath {
  /** Samples that `rows` should be given at a time. */
  readonly batchSize: number
  /** Calls of `rows` that keep every engine thread and the decoders busy. */
  readonly parallelBatches: number
  /** What computed the rows so far; null before the first batch. */
  info(): EngineInfo | null
  /** Tensors alive in the engine thread that answered last. */
  tensorCount(): number
  close(): Promise<void>
}

export interface Extractor extends ForwardPath {
  readonly id: Sha256
  readonly spec: ExtractorSpec
  /** Values in one row. */
  readonly width: number
  /**
   * One row for each sample, in order. Faults of the content are answers, faults of the engine throw.
   *
   * @throws ENGINE_FAILED, ENGINE_UNAVAILABLE, EXTRACTOR_INPUT_MISMATCH.
   */
  rows(samples: readonly SampleContent[]): Promise<Row[]>
}

/** Several extractors that one forward pass computes: they differ in cut and pooling only. */
export interface Pass extends ForwardPath {
  readonly specs: readonly ExtractorSpec[]
  /**
   * For each sample one row an extractor, in the order of `specs`; with the bits that each extractor
   * gives alone. Content that cannot be decoded has no row in any of them; a row that is not finite is
   * missing where it is not finite only.
   *
   * @throws as Extractor.rows.
   */
  rows(samples: readonly SampleContent[]): Promise<Row[][]>
}

type Decoded = Uint8Array | Float32Array | { readonly reason: string }

const isDecoded = (decoded: Decoded): decoded is Uint8Array | Float32Array =>
  ArrayBuffer.isView(decoded)

const decode = async (spec: ExtractorSpec, sample: SampleContent): Promise<Decoded> => {
  try {
    return await decodeSample(spec, sample)
  } catch (error) {
    if (isHeadstartError(error, 'SAMPLE_INVALID')) return { reason: error.message }
    throw error
  }
}

const joined = (parts: readonly (Uint8Array | Float32Array)[]): Uint8Array | Float32Array => {
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  const target = parts[0] instanceof Float32Array ? new Float32Array(total) : new Uint8Array(total)
  let offset = 0
  for (const part of parts) {
    target.set(part, offset)
    offset += part.length
  }
  return target
}

export interface ExtractorOptions {
  /** Engine threads; default: what suits the engine and the cores of this machine. */
  readonly threads?: number | undefined
  readonly settings?: EngineSettings | undefined
}

const checkedRow = (features: Float32Array): Row =>
  features.every(Number.isFinite)
    ? { ok: true, features }
    : { ok: false, reason: 'its features are not finite' }

/** Starts the engine threads of extractors that share a forward pass. Close it. */
export const openPass = (
  specs: readonly ExtractorSpec[],
  base: LoadedBase,
  options: ExtractorOptions = {},
): Pass => {
  assertOnePass(specs)
  const [first, ...others] = specs as readonly [ExtractorSpec, ...ExtractorSpec[]]
  if (base.baseId !== first.base.id)
    throw new HeadstartError('FEATURES_MISMATCH', 'the extractor belongs to another base')
  const { cut, pooling, engine, fixedBatch, precision, input } = first
  const { settings = DEFAULT_ENGINE_SETTINGS, threads } = options
  const beside = others.map((spec) => ({ cut: spec.cut, pooling: spec.pooling }))
  const pool: EnginePool = createEnginePool(
    { base, engine, settings, precision, cut, pooling, beside, fixedBatch, input },
    { threads },
  )
  const widths = specs.map((spec) => widthOf(spec.featureShape))
  const width = widths.reduce((sum, one) => sum + one, 0)
  let info: EngineInfo | null = null
  let tensors = 0

  const forward = async (
    decoded: readonly (Uint8Array | Float32Array)[],
  ): Promise<Float32Array> => {
    const count = decoded.length
    if (count === 0) return new Float32Array(0)
    const answer = await pool.forward({ data: joined(decoded), count })
    if (answer.values.length !== count * width)
      throw new HeadstartError(
        'CUT_UNUSABLE',
        `${specs.map((spec) => spec.cut).join(', ')} gives [${answer.shape.join(', ')}], [${specs.map((spec) => spec.featureShape.join(', ')).join('] and [')}] was expected`,
      )
    info ??= { ...answer.info, version: `${answer.info.version}, ${decoderVersion()}` }
    tensors = answer.tensorCount
    return answer.values
  }

  return {
    specs,
    batchSize: batchSizeOf(engine, fixedBatch, pool.usesGpu),
    // Each thread computes one batch while the next one is decoded.
    parallelBatches: pool.threads * 2,
    info: () => info,
    tensorCount: () => tensors,
    close: () => pool.close(),
    rows: async (samples) => {
      const decoded = await Promise.all(samples.map((sample) => decode(first, sample)))
      const values = await forward(decoded.filter(isDecoded))
      let start = 0
      return decoded.map((item): Row[] =>
        widths.map((one) => {
          if (!isDecoded(item)) return { ok: false, reason: item.reason }
          start += one
          return checkedRow(values.subarray(start - one, start))
        }),
      )
    },
  }
}

/** Starts the engine threads of an extractor. Close it. */
export const openExtractor = (
  spec: ExtractorSpec,
  base: LoadedBase,
  options: ExtractorOptions = {},
): Extractor => {
  const { rows, specs: _, ...pass } = openPass([spec], base, options)
  return {
    ...pass,
    id: extractorIdOfSpec(spec),
    spec,
    width: widthOf(spec.featureShape),
    rows: async (samples) => (await rows(samples)).flat(),
  }
}
