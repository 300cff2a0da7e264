// Owns writing the ONNX model of a run: which base it is made of, and what is said of it in the card.
// Refuses bases without a form in ONNX.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadstartError } from '../../errors.js'
import { loadBase, loadBaseRecord } from '../../extractor/base/load.js'
import type { OnnxBase } from '../../extractor/base/loaded-base.js'
import { assertCompiledCut, ensureCompiled } from '../../extractor/compile/ensure.js'
import { loadCompiledBase } from '../../extractor/compile/load.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../../extractor/engine-settings.js'
import { compileHead } from '../../head/onnx-head.js'
import type { HeadArtifacts } from '../../head/types.js'
import type { Store } from '../../store/port.js'
import type { OnnxFile } from '../card-files.js'
import type { RunRecord } from '../run-record.js'
import { composeOnnx, ONNX_INPUT } from './compose.js'

export const MODEL_ONNX = 'model.onnx'

export interface OnnxRequest {
  readonly store: Store
  readonly engines?: EngineSettings | undefined
  readonly run: RunRecord
  readonly signal?: AbortSignal | undefined
}

/** The base as an ONNX graph, compiled now where nobody did, and the rank of its cut. */
const onnxBaseOf = async ({
  store,
  engines,
  run,
  signal,
}: OnnxRequest): Promise<{ readonly base: OnnxBase; readonly cutRank: number }> => {
  const { id, format } = run.extractor.base
  const record = await loadBaseRecord(store, id)
  if (record === null) throw new HeadstartError('NOT_FOUND', `no base ${id} is registered`)
  const cut = record.cuts.find(({ path }) => path === run.extractor.cut)
  if (cut === undefined)
    throw new HeadstartError('CUT_NOT_FOUND', `the base has no output ${run.extractor.cut}`)
  const cutRank = cut.shape.length + 1
  if (format === 'onnx') {
    const base = await loadBase(store, id)
    if (base.format !== 'onnx')
      throw new HeadstartError('STORE_CORRUPT', `the base ${id} is not ONNX`)
    return { base, cutRank }
  }
  const settings = engines ?? DEFAULT_ENGINE_SETTINGS
  const compiled = await ensureCompiled(store, record, { settings, signal })
  if (compiled === null)
    throw new HeadstartError(
      'EXPORT_IMPOSSIBLE',
      'the base is a SavedModel, which has no form in ONNX',
    )
  assertCompiledCut(compiled, run.extractor.cut)
  return { base: await loadCompiledBase(store, id), cutRank }
}

/**
 * `model.onnx` in `folder`: base, pooling and head.
 *
 * @throws EXPORT_IMPOSSIBLE, BASE_NOT_COMPILED where there is no such form; CUT_NOT_FOUND, STORE_CORRUPT.
 */
export const writeOnnx = async (
  request: OnnxRequest,
  head: HeadArtifacts,
  folder: string,
): Promise<OnnxFile> => {
  const { extractor, target } = request.run
  const { base, cutRank } = await onnxBaseOf(request)
  const output = target.kind === 'regression' ? 'values' : 'probabilities'
  const compiled = await compileHead(head)
  const composed = composeOnnx({ base, extractor, cutRank, head: compiled, output })
  await writeFile(join(folder, MODEL_ONNX), composed.bytes)
  return {
    path: MODEL_ONNX,
    input: {
      name: ONNX_INPUT,
      shape: [...composed.inputShape],
      layout: composed.layout,
      samples: composed.batch,
    },
    output: { name: output, shape: [compiled.outputs] },
    operators: composed.operators,
  }
}
