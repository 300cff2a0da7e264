// Owns the published head of a solved point: the same model, weights and metrics as of every other head.
import * as tf from '@tensorflow/tfjs-core'
import { buildHead } from '../build.js'
import { measureTrained, publishHead } from '../publish.js'
import type { ExactSpec } from '../spec.js'
import type { StepTargets } from '../targets.js'
import type { EpochMetrics, TrainedHead, TrainingData } from '../types.js'

/**
 * @param request.point kernel [width, units] row-major, then bias [units], towards standardised targets.
 * @throws HEAD_DIVERGED, INTERRUPTED, and the errors of FeatureSource.read.
 */
export const publishExact = async (request: {
  readonly spec: ExactSpec
  readonly data: TrainingData
  readonly targets: StepTargets
  readonly point: Float64Array
  readonly history: readonly EpochMetrics[]
  readonly signal?: AbortSignal | undefined
}): Promise<TrainedHead> => {
  const { spec, data, targets, point, history, signal } = request
  const { featureShape, target } = data
  const head = await buildHead({ spec, featureShape, target, seed: null })
  try {
    const kernelSize = data.width * targets.units
    for (const weight of head.model.weights) {
      const shape = weight.shape as number[]
      const values = shape.length === 2 ? point.subarray(0, kernelSize) : point.subarray(kernelSize)
      const tensor = tf.tensor(Float32Array.from(values), shape, 'float32')
      weight.write(tensor)
      tensor.dispose()
    }
    const artifacts = publishHead(head, targets, history.length)
    const metrics = await measureTrained(artifacts, data, signal)
    const bestEpoch = history.length
    return {
      ...{ artifacts, history, bestEpoch, stoppedEarly: false, metrics },
      batchNormalization: null,
    }
  } finally {
    head.dispose()
  }
}
