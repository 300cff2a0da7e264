// Owns the export of a run: head, composed models, samples, card and README in one folder, proven by
// loading the written files again. Refuses a folder that is in use; leaves nothing behind when it fails.
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assertNotAborted, HeadstartError } from '../errors.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { headInputShapeOf } from '../head/compose.js'
import { sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { VERSION } from '../version.js'
import { describeModel, type ModelCard } from './card.js'
import { writeCard } from './card-text.js'
import { createCheckSamples } from './check-samples.js'
import {
  type Checked,
  checkExport,
  EXPORT_CHECK_SAMPLES,
  type Expected,
  predictExpected,
} from './export-check.js'
import { writeFolder } from './export-folder.js'
import type { ExportFormat } from './export-format.js'
import { type WrittenParts, writeParts } from './export-parts.js'
import { writeSamples } from './export-samples.js'
import { openModel } from './open-model.js'
import { loadHead, type RunRecord } from './run-record.js'

export interface ExportRequest {
  readonly store: Store
  readonly engines?: EngineSettings | undefined
  readonly run: RunRecord
  /** Is made; must not exist or be empty. */
  readonly folder: string
  /** Default `all`: everything that is possible. */
  readonly format?: ExportFormat | undefined
  /** Whether the composed TF.js model is written without BatchNormalization. */
  readonly foldBatchNorm?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ExportResult {
  /** Absolute. */
  readonly folder: string
  readonly card: ModelCard
}

/** What the run predicts for made-up inputs. The engine threads are gone when it returns. */
const predictWithRun = async ({ store, engines, run }: ExportRequest): Promise<Expected[]> => {
  const samples = await createCheckSamples(run.extractor, EXPORT_CHECK_SAMPLES)
  const model = await openModel(store, run, { threads: 1, settings: engines })
  try {
    return await predictExpected(model, samples)
  } finally {
    await model.close()
  }
}

const inputShapeOf = ({ input }: RunRecord['extractor']): readonly number[] =>
  input.kind === 'image' ? [...input.size, 3] : input.shape

/** [height, width, 3] as [3, height, width]. */
const channelsFirst = (values: Float32Array): Float32Array => {
  const places = values.length / 3
  return values.map((_, i) => values[(i % places) * 3 + Math.floor(i / places)] ?? 0)
}

/** Inputs in the order of axes that the written models take. */
const asWritten = (expected: readonly Expected[], { onnx }: WrittenParts): readonly Expected[] =>
  onnx?.input.layout === 'channels-first'
    ? expected.map((item) => ({ ...item, input: channelsFirst(item.input) }))
    : expected

const checkedFiles = (
  { head, model, onnx }: WrittenParts,
  shapes: { readonly input: readonly number[]; readonly features: readonly number[] },
): Checked[] => {
  const loadedWith = 'tf.loadLayersModel'
  const files: Checked[] = []
  if (head !== null)
    files.push({ path: head, takes: 'features', loadedWith, shape: shapes.features, batch: null })
  if (model !== null)
    files.push({ path: model, takes: 'input', loadedWith, shape: shapes.input, batch: null })
  if (onnx !== null) {
    const { shape, samples: batch } = onnx.input
    files.push({ path: onnx.path, takes: 'input', loadedWith: 'onnxruntime', shape, batch })
  }
  return files
}

const describeFiles = async (folder: string, paths: readonly string[]) => {
  const files: ModelCard['files']['all'] = []
  for (const path of paths) {
    const content = await readFile(join(folder, path))
    files.push({ path, bytes: content.length, sha256: sha256(content) })
  }
  return files
}

const writeAll = async (request: ExportRequest, folder: string): Promise<ModelCard> => {
  const { store, run, signal, format = 'all', foldBatchNorm = false } = request
  const predicted = await predictWithRun(request)
  assertNotAborted(signal)
  const head = await loadHead(store, run)
  const features = await headInputShapeOf(head)
  const parts = await writeParts({ ...request, format, foldBatchNorm }, head, folder)
  assertNotAborted(signal)
  const expected = asWritten(predicted, parts)
  const shapes = { input: parts.onnx?.input.shape ?? inputShapeOf(run.extractor), features }
  const files = checkedFiles(parts, shapes)
  const exportCheck = await checkExport({ folder, files, expected, engine: run.extractor.engine })
  assertNotAborted(signal)
  const samples = await writeSamples(folder, expected, shapes)
  const sampleFiles = samples === null ? [] : [samples.input, samples.features, samples.expected]
  const card = describeModel(run, {
    files: {
      head: parts.head,
      model: parts.model,
      onnx: parts.onnx,
      samples,
      all: await describeFiles(folder, [...parts.paths, ...sampleFiles]),
    },
    notExported: parts.notExported,
    foldedBatchNormalization: parts.folded,
    exportCheck,
    headInputShape: features,
    exportedBy: `headstart ${VERSION}`,
  })
  await writeFile(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`)
  await writeFile(join(folder, 'README.md'), writeCard(card))
  return card
}

/**
 * Exports a published run: `head/` and, for a LayersModel base, `model/` (TF.js), `model.onnx` where the
 * base is ONNX or can be compiled, `samples/`, `card.json` and `README.md`.
 *
 * @throws REQUEST_INVALID when the folder is in use; EXPORT_FAILED when the written files do not
 *   predict what the run predicts; EXPORT_IMPOSSIBLE when what was asked for by name is not possible;
 *   INTERRUPTED.
 */
export const exportRun = async (request: ExportRequest): Promise<ExportResult> => {
  assertNotAborted(request.signal)
  if (request.foldBatchNorm === true && request.format === 'onnx')
    throw new HeadstartError(
      'REQUEST_INVALID',
      'folding BatchNormalization is for the TF.js model, and only ONNX was asked for; an ONNX export is always folded',
    )
  const card = await writeFolder(request.folder, (folder) => writeAll(request, folder))
  return { folder: resolve(request.folder), card }
}
