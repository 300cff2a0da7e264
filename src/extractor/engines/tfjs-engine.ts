// Owns the forward pass of a TF.js base, in predict mode only, and finding out what it can be asked.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import { type EngineInfo, widthOf } from '../../features/shard.js'
import type { TfjsBase } from '../base/loaded-base.js'
import { type BaseInspection, cutsOfRequest, type Engine, type EngineRequest } from './engine.js'
import { loadTfjsModel, type Tfjs, type TfjsModel, translateError } from './tfjs.js'
import { assertFullPrecision, createBatchEngine } from './tfjs-batches.js'
import { listLayerCuts } from './tfjs-cut.js'
import { assertGraphCut, listGraphCuts } from './tfjs-graph.js'
import { readLayersModel } from './tfjs-read.js'

const listOf = (result: Tensor | Tensor[]): Tensor[] => (Array.isArray(result) ? result : [result])

/** From a batch of inputs to the output at each cut; the caller disposes the results. */
const forwardOf = (
  tf: Tfjs,
  loaded: TfjsModel,
  cuts: readonly string[],
): ((x: Tensor) => Tensor[]) => {
  // Two poolings of a cut read it once: TF.js refuses to be asked for an output twice.
  const names = [...new Set(cuts)]
  const inOrder = (found: readonly Tensor[]): Tensor[] =>
    cuts.map((cut) => found[names.indexOf(cut)] as Tensor)
  if (loaded.format === 'graph-model') {
    const { model } = loaded
    for (const name of names) assertGraphCut(model, name)
    const input = model.inputs[0]?.name ?? ''
    return (x) => inOrder(listOf(model.execute({ [input]: x }, names) as Tensor | Tensor[]))
  }
  const run = readLayersModel(tf, loaded.model, names)
  return (x) => inOrder(run(x))
}

/** @throws BASE_INVALID, BASE_LAYER_UNKNOWN, CUT_NOT_FOUND, CUT_UNUSABLE; ENGINE_UNAVAILABLE for fp16. */
export const createTfjsEngine = async (
  tf: Tfjs,
  info: EngineInfo,
  request: EngineRequest,
  base: TfjsBase,
): Promise<Engine> => {
  assertFullPrecision(request)
  const loaded = await loadTfjsModel(tf, base)
  const close = (): void => void loaded.model.dispose()
  try {
    const cuts = cutsOfRequest(request).map(({ cut }) => cut)
    const run = forwardOf(tf, loaded, cuts)
    return createBatchEngine({ tf, info }, request, { run, close })
  } catch (error) {
    close()
    throw error
  }
}

type Inspected = Omit<BaseInspection, 'parameters'>

const inspectLayers = (model: LayersModel): Inspected => {
  if (model.inputs.length !== 1)
    throw new HeadstartError('BASE_INVALID', `the base has ${model.inputs.length} inputs, not one`)
  return { inputShape: model.inputs[0]?.shape.slice(1) ?? [], cuts: listLayerCuts(model) }
}

const parametersOf = ({ weightSpecs }: TfjsBase): number =>
  weightSpecs.reduce((sum, { shape }) => sum + widthOf(shape), 0)

/** Input shape and cuts of a base; nothing stays allocated. */
export const inspectTfjsBase = async (tf: Tfjs, base: TfjsBase): Promise<BaseInspection> => {
  const loaded = await loadTfjsModel(tf, base)
  try {
    const inspected =
      loaded.format === 'layers-model'
        ? inspectLayers(loaded.model)
        : await listGraphCuts(tf, loaded.model)
    return { ...inspected, parameters: parametersOf(base) }
  } catch (error) {
    throw translateError(error)
  } finally {
    loaded.model.dispose()
  }
}
