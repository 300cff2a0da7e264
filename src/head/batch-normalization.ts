// Owns the two modes of BatchNormalization in a trained head: what it computes with the statistics of a
// batch, as while training, beside what it computes as it is served. Changes nothing of the head.
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel, layers } from '@tensorflow/tfjs-layers'
import { rowsOfSplit } from './batches.js'
import type { BuiltHead } from './build.js'
import { predictRows } from './evaluate.js'
import { layersOf } from './layers-of.js'
import { metricsOf, scoreOf } from './metrics.js'
import { type StepTargets, unscale } from './targets.js'
import type { BatchNormalizationModes, SplitMetrics, TrainingData } from './types.js'

const isBatchNormalization = (layer: layers.Layer): boolean =>
  layer.getClassName() === 'BatchNormalization'

/** Layers that hold others pass the mode on to them; every other one computes as in inference. */
const keepsMode = (layer: layers.Layer): boolean =>
  isBatchNormalization(layer) || 'layers' in layer || 'layer' in layer

/**
 * Runs `work` with every layer but BatchNormalization in inference mode, whatever it is called with: no
 * dropout. What BatchNormalization learns of the batches meanwhile is undone.
 */
const withBatchStatistics = async <T>(model: LayersModel, work: () => Promise<T>): Promise<T> => {
  const all = layersOf(model)
  const quiet = all.filter((layer) => !keepsMode(layer))
  const calls = quiet.map((layer) => layer.call)
  const statistics = all.filter(isBatchNormalization).flatMap((layer) => layer.nonTrainableWeights)
  const kept = statistics.map((weight) => weight.read().clone())
  for (const layer of quiet) {
    const original = layer.call.bind(layer)
    layer.call = (inputs, kwargs) => original(inputs, { ...kwargs, training: false })
  }
  try {
    return await work()
  } finally {
    for (const [index, layer] of quiet.entries()) layer.call = calls[index] as typeof layer.call
    for (const [index, weight] of statistics.entries()) weight.write(kept[index] as tf.Tensor)
    tf.dispose(kept)
  }
}

/**
 * Loss and score of the train split in both modes, at the weights that the head has. Null of a head
 * without BatchNormalization.
 *
 * @param request.inferenceMode the train metrics of the head as it is served.
 * @throws INTERRUPTED, and the errors of FeatureSource.read.
 */
export const measureBatchNormalization = async (request: {
  readonly head: BuiltHead
  readonly data: TrainingData
  readonly targets: StepTargets
  readonly batchSize: number
  readonly inferenceMode: SplitMetrics
  readonly signal?: AbortSignal | undefined
}): Promise<BatchNormalizationModes | null> => {
  const { head, data, targets, batchSize, inferenceMode, signal } = request
  const found = layersOf(head.model).filter(isBatchNormalization).length
  if (found === 0) return null
  const { model, inputShape, outputs } = head
  const predict = (features: Float32Array, count: number): Float32Array => {
    const x = tf.tensor(features, [count, ...inputShape], 'float32')
    const y = tf.tidy(() => model.apply(x, { training: true }) as tf.Tensor)
    const values = y.dataSync<'float32'>().slice()
    tf.dispose([x, y])
    return values
  }
  const rows = rowsOfSplit(data.splits, 'train')
  const predictions = await withBatchStatistics(model, () =>
    predictRows({ data, rows, outputs, predict, signal, batchRows: batchSize }),
  )
  if (targets.scale !== null) unscale(predictions, targets.scale)
  const labels = Array.from(rows, (row) => data.labels[row] as readonly number[])
  const trainingMode = metricsOf(data.target, predictions, labels)
  const both = (metrics: SplitMetrics) => ({ loss: metrics.loss, score: scoreOf(metrics) })
  return {
    layers: found,
    trainingMode: both(trainingMode),
    inferenceMode: both(inferenceMode),
  }
}
