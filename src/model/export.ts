// Owns the export of a run: head, composed model, card and README in one folder, proven by loading
// the written files again. Refuses a folder that is in use; leaves nothing behind when it fails.
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assertNotAborted } from '../errors.js'
import { loadTfjsBase } from '../extractor/base/load.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { composeModel } from '../head/compose.js'
import { saveModelFolder } from '../head/model-files.js'
import type { HeadArtifacts } from '../head/types.js'
import { sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { VERSION } from '../version.js'
import { describeModel, type ModelCard } from './card.js'
import { writeCard } from './card-text.js'
import { createCheckSamples } from './check-samples.js'
import {
  checkExport,
  EXPORT_CHECK_SAMPLES,
  type Expected,
  predictExpected,
} from './export-check.js'
import { writeFolder } from './export-folder.js'
import { openModel } from './open-model.js'
import { loadHead, type RunRecord } from './run-record.js'

export interface ExportRequest {
  readonly store: Store
  readonly engines?: EngineSettings | undefined
  readonly run: RunRecord
  /** Is made; must not exist or be empty. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
}

export interface ExportResult {
  /** Absolute. */
  readonly folder: string
  readonly card: ModelCard
}

const HEAD = 'head'
const MODEL = 'model'

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

/** Writes the composed model; its files, or none where the base is a GraphModel. */
const writeComposed = async (
  { store, run }: ExportRequest,
  head: HeadArtifacts,
  folder: string,
): Promise<string[]> => {
  const { base, cut, pooling } = run.extractor
  if (base.format !== 'layers-model') return []
  const composed = await composeModel({
    base: await loadTfjsBase(store, base.id),
    cut,
    pooling,
    inputShape: inputShapeOf(run.extractor),
    head,
  })
  return saveModelFolder(folder, composed)
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
  const { store, run, signal } = request
  const expected = await predictWithRun(request)
  assertNotAborted(signal)
  const head = await loadHead(store, run)
  const [headFolder, modelFolder] = [join(folder, HEAD), join(folder, MODEL)]
  const headFiles = await saveModelFolder(headFolder, head)
  const modelFiles = await writeComposed(request, head, modelFolder)
  assertNotAborted(signal)
  const composed = modelFiles.length > 0
  const { exportCheck, headInputShape } = await checkExport({
    headFolder,
    modelFolder: composed ? modelFolder : null,
    expected,
    engine: run.extractor.engine,
  })
  assertNotAborted(signal)
  const paths = [
    ...headFiles.map((path) => `${HEAD}/${path}`),
    ...modelFiles.map((path) => `${MODEL}/${path}`),
  ]
  const card = describeModel(run, {
    files: {
      head: `${HEAD}/model.json`,
      model: composed ? `${MODEL}/model.json` : null,
      all: await describeFiles(folder, paths),
    },
    exportCheck,
    headInputShape,
    exportedBy: `headstart ${VERSION}`,
  })
  await writeFile(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`)
  await writeFile(join(folder, 'README.md'), writeCard(card))
  return card
}

/**
 * Exports a published run: `head/` and, for a LayersModel base, `model/` (normalised input to
 * outputs), `card.json` and `README.md`.
 *
 * @throws REQUEST_INVALID when the folder is in use; EXPORT_FAILED when the written files do not
 *   predict what the run predicts; CUT_UNUSABLE when the pooling has no layer; INTERRUPTED.
 */
export const exportRun = async (request: ExportRequest): Promise<ExportResult> => {
  assertNotAborted(request.signal)
  const card = await writeFolder(request.folder, (folder) => writeAll(request, folder))
  return { folder: resolve(request.folder), card }
}
