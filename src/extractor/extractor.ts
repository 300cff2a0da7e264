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
import { type ExtractorSpec, extractorIdOfSpec } from './spec.js'

export type { SampleContent } from './input.js'

/** A row of features, or why the content has none. */
export type Row =
  | { readonly ok: true; readonly features: Float32Array }
  | { readonly ok: false; readonly reason: string }

export interface Extractor {
  readonly id: Sha256
  readonly spec: ExtractorSpec
  /** Values in one row. */
  readonly width: number
  /** Samples that `rows` should be given at a time. */
  readonly batchSize: number
  /** Calls of `rows` that keep every engine thread and the decoders busy. */
  readonly parallelBatches: number
  /** What computed the rows so far; null before the first batch. */
  info(): EngineInfo | null
  /** Tensors alive in the engine thread that answered last. */
  tensorCount(): number
  /**
   * One row for each sample, in order. Faults of the content are answers, faults of the engine throw.
   *
   * @throws ENGINE_FAILED, ENGINE_UNAVAILABLE, EXTRACTOR_INPUT_MISMATCH.
   */
  rows(samples: readonly SampleContent[]): Promise<Row[]>
  close(): Promise<void>
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

/** Starts the engine threads of an extractor. Close it. */
export const openExtractor = (
  spec: ExtractorSpec,
  base: LoadedBase,
  options: ExtractorOptions = {},
): Extractor => {
  if (base.baseId !== spec.base.id)
    throw new HeadstartError('FEATURES_MISMATCH', 'the extractor belongs to another base')
  const { cut, pooling, engine, fixedBatch, precision, input } = spec
  const { settings = DEFAULT_ENGINE_SETTINGS, threads } = options
  const pool: EnginePool = createEnginePool(
    { base, engine, settings, precision, cut, pooling, fixedBatch, input },
    { threads },
  )
  const width = widthOf(spec.featureShape)
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
        `${cut} gives [${answer.shape.join(', ')}], [${spec.featureShape.join(', ')}] was expected`,
      )
    info ??= { ...answer.info, version: `${answer.info.version}, ${decoderVersion()}` }
    tensors = answer.tensorCount
    return answer.values
  }

  return {
    id: extractorIdOfSpec(spec),
    spec,
    width,
    batchSize: batchSizeOf(engine, fixedBatch, pool.usesGpu),
    // Each thread computes one batch while the next one is decoded.
    parallelBatches: pool.threads * 2,
    info: () => info,
    tensorCount: () => tensors,
    close: () => pool.close(),
    rows: async (samples) => {
      const decoded = await Promise.all(samples.map((sample) => decode(spec, sample)))
      const values = await forward(decoded.filter(isDecoded))
      let row = 0
      return decoded.map((item): Row => {
        if (!isDecoded(item)) return { ok: false, reason: item.reason }
        const features = values.subarray(row * width, (row + 1) * width)
        row += 1
        return features.every(Number.isFinite)
          ? { ok: true, features }
          : { ok: false, reason: 'its features are not finite' }
      })
    },
  }
}
