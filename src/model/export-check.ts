// Owns the proof of an export: what the run predicts against what the written files predict, each loaded
// the way anyone would load it.
import { join } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import { openOnnxFile } from '../extractor/engines/onnxruntime-file.js'
import { openModelFolder } from '../head/model-files.js'
import type { ExportCheck } from './card-files.js'
import type { CheckSample } from './check-samples.js'
import type { Model } from './open-model.js'
import { CROSS_DEVICE_TOLERANCE } from './parity.js'

export const EXPORT_CHECK_SAMPLES = 8

/** Relative to max(1, |output|), for an extractor on the engine that runs the written model. */
const EXPORT_TOLERANCE = 1e-5
/** A few at a time bounds memory for large inputs. */
const BATCH = 2

/** One check input on the run's own way: its features and its outputs. */
export interface Expected {
  readonly input: Float32Array
  readonly features: Float32Array
  readonly outputs: Float32Array
}

/** One file that is to be checked. */
export interface Checked {
  /** Below the folder of the export. */
  readonly path: string
  readonly takes: 'input' | 'features'
  readonly loadedWith: 'tf.loadLayersModel' | 'onnxruntime'
  /** Shape of one input. */
  readonly shape: readonly number[]
  /** Samples in every run, where the file fixes them. */
  readonly batch: number | null
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

/** @param values [rows, ...shape]; @returns [rows, outputs]. */
type Predict = (values: Float32Array, rows: number) => Promise<Float32Array>

interface Opened {
  readonly predict: Predict
  close(): Promise<void>
}

const openWritten = async (folder: string, checked: Checked): Promise<Opened> => {
  const { path, loadedWith, shape } = checked
  if (loadedWith === 'onnxruntime') {
    const file = await openOnnxFile(join(folder, path))
    return { predict: (values, rows) => file.run(values, [rows, ...shape]), close: file.close }
  }
  const model = await openModelFolder(join(folder, path, '..'))
  return {
    predict: async (values, rows) => model.predict(values, rows),
    close: async () => model.close(),
  }
}

const inBatches = async (
  inputs: readonly Float32Array[],
  batch: number | null,
  predict: Predict,
): Promise<Float32Array[]> => {
  const outputs: Float32Array[] = []
  const size = batch ?? BATCH
  for (let start = 0; start < inputs.length; start += size) {
    const parts = inputs.slice(start, start + size)
    const width = parts[0]?.length ?? 0
    // A file that fixes its batch is given zeros for the rest.
    const rows = batch ?? parts.length
    const block = new Float32Array(width * rows)
    for (const [i, part] of parts.entries()) block.set(part, i * width)
    const result = await predict(block, rows)
    const units = result.length / rows
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

const LOADERS = { wasm: 'tf.loadLayersModel', onnxruntime: 'onnxruntime' } as const

/**
 * The head has no base in it. Otherwise another engine than that of the run sums in another order: then
 * the tolerance is that of parity across devices, and the difference that was found is what counts.
 */
const toleranceOf = ({ takes, loadedWith }: Checked, engine: string): number =>
  takes === 'features' ||
  (Object.hasOwn(LOADERS, engine) && LOADERS[engine as keyof typeof LOADERS] === loadedWith)
    ? EXPORT_TOLERANCE
    : CROSS_DEVICE_TOLERANCE

const predictWritten = async (
  folder: string,
  checked: Checked,
  expected: readonly Expected[],
): Promise<Float32Array[]> => {
  const inputs = expected.map((item) => item[checked.takes])
  try {
    const opened = await openWritten(folder, checked)
    try {
      return await inBatches(inputs, checked.batch, opened.predict)
    } finally {
      await opened.close()
    }
  } catch (error) {
    throw failed(`the written ${checked.path} does not load and run: ${messageOf(error)}`, error)
  }
}

/**
 * Loads each written file and compares it with the run.
 *
 * @param engine of the run's extractor.
 * @throws EXPORT_FAILED when a file does not load or differs by more than its tolerance.
 */
export const checkExport = async (request: {
  readonly folder: string
  readonly files: readonly Checked[]
  readonly expected: readonly Expected[]
  readonly engine: string
}): Promise<ExportCheck> => {
  const { folder, expected, engine } = request
  const files: ExportCheck['files'] = []
  for (const checked of request.files) {
    const tolerance = toleranceOf(checked, engine)
    const actual = await predictWritten(folder, checked, expected)
    const { absolute, relative } = difference(expected, actual)
    const { path, loadedWith } = checked
    if (!(relative <= tolerance))
      throw failed(
        `the exported ${path} differs from the run by up to ${absolute} (tolerance ${tolerance})`,
      )
    files.push({ path, loadedWith, maxAbsDiff: absolute, tolerance })
  }
  const maxAbsDiff = files.reduce((most, file) => Math.max(most, file.maxAbsDiff), 0)
  return { samples: expected.length, maxAbsDiff, files }
}
