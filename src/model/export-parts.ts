// Owns the parts of an export: head and composed model as TF.js, composed model as ONNX. A part that the
// run cannot have is named with its reason; an error only where it was asked for by name.
import { join } from 'node:path'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { loadTfjsBase } from '../extractor/base/load.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { composeFoldedModel, composeModel } from '../head/compose.js'
import { saveModelFolder } from '../head/model-files.js'
import type { HeadArtifacts } from '../head/types.js'
import type { Store } from '../store/port.js'
import type { FoldedCounts, LeftOut, OnnxFile } from './card-files.js'
import type { ExportFormat } from './export-format.js'
import { writeOnnx } from './onnx-export/write.js'
import type { RunRecord } from './run-record.js'

export interface PartsRequest {
  readonly store: Store
  readonly engines?: EngineSettings | undefined
  readonly run: RunRecord
  readonly format: ExportFormat
  readonly foldBatchNorm: boolean
  readonly signal?: AbortSignal | undefined
}

const HEAD = 'head'
const MODEL = 'model'

/** Why a part is not there. Errors of the machine or the store are no answer and go on. */
const ANSWERS = [
  'EXPORT_IMPOSSIBLE',
  'CUT_UNUSABLE',
  'BASE_NOT_COMPILED',
  'BASE_LAYER_UNKNOWN',
] as const

/** @returns the part, or why there is none; throws the reason where the part was asked for by name. */
const partOr = async <T>(
  make: () => Promise<T>,
  byName: boolean,
): Promise<{ readonly part: T } | { readonly reason: string }> => {
  try {
    return { part: await make() }
  } catch (error) {
    const isAnswer = ANSWERS.some((code) => isHeadstartError(error, code))
    if (!isAnswer || !(error instanceof HeadstartError)) throw error
    if (!byName) return { reason: error.message }
    throw new HeadstartError('EXPORT_IMPOSSIBLE', error.message, {
      cause: error,
      details: error.details,
    })
  }
}

const FORMAT_NAMES = {
  'layers-model': 'LayersModel',
  'graph-model': 'GraphModel',
  onnx: 'ONNX',
  'saved-model': 'SavedModel',
} as const

const inputShapeOf = ({ input }: RunRecord['extractor']): readonly number[] =>
  input.kind === 'image' ? [...input.size, 3] : input.shape

const composeRequestOf = async ({ store, run }: PartsRequest, head: HeadArtifacts) => {
  const { base, cut, pooling } = run.extractor
  if (base.format !== 'layers-model')
    throw new HeadstartError(
      'EXPORT_IMPOSSIBLE',
      `the base is no LayersModel (${FORMAT_NAMES[base.format]}): it has no layers to compose a TF.js model of`,
    )
  const inputShape = inputShapeOf(run.extractor)
  return { base: await loadTfjsBase(store, base.id), cut, pooling, inputShape, head }
}

/** The composed TF.js model in `folder`. */
const writeComposed = async (
  request: PartsRequest,
  head: HeadArtifacts,
  folder: string,
): Promise<{ readonly paths: string[]; readonly folded: FoldedCounts | null }> => {
  const composing = await composeRequestOf(request, head)
  if (!request.foldBatchNorm) {
    const artifacts = await composeModel(composing)
    return { paths: await saveModelFolder(folder, artifacts), folded: null }
  }
  const { artifacts, folded, replaced } = await composeFoldedModel(composing)
  const counts = { folded: folded.length, replaced: replaced.length }
  return { paths: await saveModelFolder(folder, artifacts), folded: counts }
}

export interface WrittenParts {
  /** Paths below the folder of the export. */
  readonly paths: readonly string[]
  readonly head: string | null
  readonly model: string | null
  readonly onnx: OnnxFile | null
  readonly folded: FoldedCounts | null
  readonly notExported: readonly LeftOut[]
}

/**
 * Writes what was asked for and is possible.
 *
 * @throws EXPORT_IMPOSSIBLE when what was asked for by name is not possible.
 */
export const writeParts = async (
  request: PartsRequest,
  head: HeadArtifacts,
  folder: string,
): Promise<WrittenParts> => {
  const { format, foldBatchNorm } = request
  const paths: string[] = []
  const notExported: LeftOut[] = []
  let [model, folded]: [string | null, FoldedCounts | null] = [null, null]
  if (format !== 'onnx') {
    const below = (part: string) => (path: string) => `${part}/${path}`
    paths.push(...(await saveModelFolder(join(folder, HEAD), head)).map(below(HEAD)))
    const written = await partOr(
      () => writeComposed(request, head, join(folder, MODEL)),
      foldBatchNorm,
    )
    if ('part' in written) {
      model = `${MODEL}/model.json`
      folded = written.part.folded
      paths.push(...written.part.paths.map(below(MODEL)))
    } else notExported.push({ part: 'model', reason: written.reason })
  }
  let onnx: OnnxFile | null = null
  if (format !== 'tfjs') {
    const written = await partOr(() => writeOnnx(request, head, folder), format === 'onnx')
    if ('part' in written) {
      onnx = written.part
      paths.push(onnx.path)
    } else notExported.push({ part: 'onnx', reason: written.reason })
  }
  const headPath = format === 'onnx' ? null : `${HEAD}/model.json`
  return { paths, head: headPath, model, onnx, folded, notExported }
}
