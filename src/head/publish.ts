// Owns the step from a trained model to what is published: artifacts, and metrics measured on them as
// they will be served. Refuses weights that are not finite.
import type { Split } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import { headArtifactsOf, readWeights } from './artifacts.js'
import type { BuiltHead } from './build.js'
import { evaluateHead } from './evaluate.js'
import { openHead } from './predict-head.js'
import { foldScale, type StepTargets } from './targets.js'
import type { HeadArtifacts, SplitMetrics, TrainedHead, TrainingData } from './types.js'

/**
 * The artifacts of a model at its weights, the scale of regression targets folded in. Not inside tf.tidy.
 *
 * @throws HEAD_DIVERGED
 */
export const publishHead = (
  head: BuiltHead,
  targets: StepTargets,
  epoch: number,
): HeadArtifacts => {
  const values = readWeights(head.model)
  if (targets.scale !== null && head.lastDense !== null) {
    const { weights } = head.model
    const kernel = values[weights.indexOf(head.lastDense.kernel)] as Float32Array
    const bias = values[weights.indexOf(head.lastDense.bias)] as Float32Array
    foldScale(kernel, bias, targets.scale)
  }
  // A ReLU can hide a weight that is not finite from the loss.
  if (values.some((value) => value.some((number) => !Number.isFinite(number)))) {
    throw new HeadstartError('HEAD_DIVERGED', `a weight is not finite after epoch ${epoch}`)
  }
  return headArtifactsOf(head.model, values)
}

const measureSplits = async (
  artifacts: HeadArtifacts,
  data: TrainingData,
  splits: readonly Split[],
  signal: AbortSignal | undefined,
): Promise<TrainedHead['metrics']> => {
  const predictor = await openHead(artifacts)
  try {
    const metrics: Partial<Record<Split, SplitMetrics>> = {}
    for (const split of splits) {
      const measured = await evaluateHead(predictor, data, split, signal)
      if (measured !== undefined) metrics[split] = measured
    }
    return metrics
  } finally {
    predictor.close()
  }
}

/**
 * Metrics of a published head on all rows of a split; undefined where it has none. The test split is
 * measured by this alone: training does not, so that whoever chooses among heads reads it once.
 *
 * @throws STORE_CORRUPT, HEAD_INVALID, INTERRUPTED, and the errors of FeatureSource.read.
 */
export const measureSplit = async (
  artifacts: HeadArtifacts,
  data: TrainingData,
  split: Split,
  signal?: AbortSignal,
): Promise<SplitMetrics | undefined> =>
  (await measureSplits(artifacts, data, [split], signal))[split]

/** What a training says of its head: train and validation. @throws as measureSplit. */
export const measureTrained = (
  artifacts: HeadArtifacts,
  data: TrainingData,
  signal?: AbortSignal,
): Promise<TrainedHead['metrics']> =>
  measureSplits(artifacts, data, ['train', 'validation'], signal)
