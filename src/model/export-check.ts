// Owns the proof of an export: what the run predicts against what the written files predict.
import { HeadstartError } from '../errors.js'
import { type OpenedModel, openModelFolder } from '../head/model-files.js'
import type { ExportCheck } from './card.js'
import type { CheckSample } from './check-samples.js'
import type { Model } from './open-model.js'
import { CROSS_DEVICE_TOLERANCE } from './parity.js'

export const EXPORT_CHECK_SAMPLES = 8

/** Relative to max(1, |output|), for an extractor on the engine that runs the written model. */
const EXPORT_TOLERANCE = 1e-5
/** What loads the written files here; another engine of the run sums in another order. */
const CHECK_ENGINE = 'wasm'
/** A few at a time bounds memory for large inputs. */
const BATCH = 2

/** One check input on the run's own way: its features and its outputs. */
export interface Expected {
  readonly input: Float32Array
  readonly features: Float32Array
  readonly outputs: Float32Array
}

const failed = (message: string, cause?: unknown): HeadstartError =>
  new HeadstartError('EXPORT_FAILED', message, { cause })

/** What the run predicts, through the one Extractor and the head. */
export const predictExpected = async (
  model: Model,
  samples: readonly CheckSample[],
): Promise<Expected[]> => {
  const contents = samples.map(({ sample }) => sample)
  const rows = await model.extractor.rows(contents)
  const predictions = model.predictRows(rows)
  return samples.map(({ values }, i) => {
    const [row, prediction] = [rows[i], predictions[i]]
    if (!row?.ok || !prediction?.ok) throw failed('the run cannot predict an input of the check')
    return { input: values, features: row.features, outputs: prediction.outputs }
  })
}

const inBatches = (
  expected: readonly Expected[],
  valuesOf: (item: Expected) => Float32Array,
  predict: (values: Float32Array, rows: number) => Float32Array,
): Float32Array[] => {
  const outputs: Float32Array[] = []
  for (let start = 0; start < expected.length; start += BATCH) {
    const parts = expected.slice(start, start + BATCH).map(valuesOf)
    const width = parts[0]?.length ?? 0
    const block = new Float32Array(width * parts.length)
    for (const [i, part] of parts.entries()) block.set(part, i * width)
    const result = predict(block, parts.length)
    const units = result.length / parts.length
    for (const i of parts.keys()) outputs.push(result.slice(i * units, (i + 1) * units))
  }
  return outputs
}

/** Largest absolute and relative difference. NaN where a value is missing or is no number. */
const difference = (expected: readonly Expected[], actual: readonly Float32Array[]) => {
  let absolute = 0
  let relative = 0
  for (const [row, { outputs }] of expected.entries()) {
    if (actual[row]?.length !== outputs.length)
      return { absolute: Number.NaN, relative: Number.NaN }
    for (const [i, value] of outputs.entries()) {
      const distance = Math.abs(value - (actual[row]?.[i] ?? Number.NaN))
      if (!(distance <= absolute)) absolute = distance
      const scaled = distance / Math.max(1, Math.abs(value))
      if (!(scaled <= relative)) relative = scaled
    }
  }
  return { absolute, relative }
}

const openWritten = async (folder: string): Promise<OpenedModel> => {
  try {
    return await openModelFolder(folder)
  } catch (error) {
    throw failed(`the written ${folder} does not load again`, error)
  }
}

/**
 * Loads a written model with plain `tf.loadLayersModel` and compares it with the run.
 *
 * @param takes what the model takes: inputs of the base, or features.
 * @returns the largest absolute difference, and the shape of one input.
 * @throws EXPORT_FAILED when the model does not load or differs by more than the tolerance.
 */
const compareWritten = async (
  folder: string,
  takes: 'input' | 'features',
  expected: readonly Expected[],
  tolerance: number,
): Promise<{ readonly absolute: number; readonly inputShape: readonly number[] }> => {
  const opened = await openWritten(folder)
  try {
    const actual = inBatches(expected, (item) => item[takes], opened.predict)
    const { absolute, relative } = difference(expected, actual)
    if (!(relative <= tolerance))
      throw failed(
        `the exported ${takes === 'input' ? 'model' : 'head'} differs from the run by up to ${absolute} (tolerance ${tolerance})`,
      )
    return { absolute, inputShape: opened.inputShape }
  } finally {
    opened.close()
  }
}

/** @throws EXPORT_FAILED */
export const checkExport = async (request: {
  readonly headFolder: string
  /** Null where only the head was written. */
  readonly modelFolder: string | null
  readonly expected: readonly Expected[]
  /** Engine of the run's extractor. */
  readonly engine: string
}): Promise<{
  readonly exportCheck: ExportCheck
  /** Shape of one input of the head. */
  readonly headInputShape: readonly number[]
}> => {
  const { headFolder, modelFolder, expected, engine } = request
  const samples = expected.length
  const head = await compareWritten(headFolder, 'features', expected, EXPORT_TOLERANCE)
  const headInputShape = head.inputShape
  if (modelFolder === null) {
    const exportCheck = { samples, maxAbsDiff: head.absolute, tolerance: EXPORT_TOLERANCE }
    return { exportCheck, headInputShape }
  }
  const tolerance = engine === CHECK_ENGINE ? EXPORT_TOLERANCE : CROSS_DEVICE_TOLERANCE
  const model = await compareWritten(modelFolder, 'input', expected, tolerance)
  const maxAbsDiff = Math.max(head.absolute, model.absolute)
  return { exportCheck: { samples, maxAbsDiff, tolerance }, headInputShape }
}
