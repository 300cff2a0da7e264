// Owns the forward pass of a TF.js base, in predict mode only, and finding out what it can be asked.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import { type EngineInfo, widthOf } from '../../features/shard.js'
import type { TfjsBase } from '../base/loaded-base.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'
import { loadTfjsModel, type Tfjs, type TfjsModel, translateError } from './tfjs.js'
import { assertFullPrecision, createBatchEngine } from './tfjs-batches.js'
import { cutLayersModel, listLayerCuts } from './tfjs-cut.js'
import { assertGraphCut, listGraphCuts } from './tfjs-graph.js'

/** From a batch of inputs to the output at the cut; the caller disposes the result. */
const forwardOf = (tf: Tfjs, loaded: TfjsModel, cut: string): ((x: Tensor) => Tensor) => {
  if (loaded.format === 'graph-model') {
    const { model } = loaded
    assertGraphCut(model, cut)
    const input = model.inputs[0]?.name ?? ''
    return (x) => model.execute({ [input]: x }, cut) as Tensor
  }
  const model = cutLayersModel(tf, loaded.model, cut)
  return (x) => model.predictOnBatch(x) as Tensor
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
    const run = forwardOf(tf, loaded, request.cut)
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
