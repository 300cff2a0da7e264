// Owns stage 2: one head trained on features, from spec to published artifacts and their metrics.
// Refuses data or a spec that cannot be trained, and a loss that is not finite.
import { SPLITS, type Split } from '../dataset/types.js'
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { headArtifactsOf, readWeights } from './artifacts.js'
import { ensureHeadBackend } from './backend.js'
import { epochBatches, rowsOfSplit } from './batches.js'
import { type BuiltHead, buildHead } from './build.js'
import { type Checkpoint, trainingFingerprint } from './checkpoint.js'
import { evaluateHead, predictRows } from './evaluate.js'
import { metricsOf, scoreOf } from './metrics.js'
import { openHead, predictBatch } from './predict-head.js'
import { createProgress, type Progress } from './progress.js'
import type { HeadSpec } from './spec.js'
import { createStepTargets, foldScale, type StepTargets, unscale } from './targets.js'
import { createTrainer } from './trainer.js'
import type {
  EpochMetrics,
  HeadArtifacts,
  SplitMetrics,
  TrainedHead,
  TrainingData,
} from './types.js'
import { assertTrainable } from './validate.js'

export interface TrainRequest {
  /** Borrowed; never written to. */
  readonly data: TrainingData
  readonly spec: HeadSpec
  readonly seed: number
  readonly signal?: AbortSignal | undefined
  /** Called after each epoch that was computed here (not for epochs of a checkpoint). */
  readonly onEpoch?: ((metrics: EpochMetrics) => void | Promise<void>) | undefined
  /** Makes the training resumable. It is left in place: clear it when the run is published. */
  readonly checkpoint?: Checkpoint | undefined
  /** Called at most once, when the checkpoint cannot be saved; the training goes on. */
  readonly onNotice?: ((message: string) => void) | undefined
}

/** Loss and score of a split in inference mode on view 0; null where it has no sample. */
const measure = async (
  request: TrainRequest,
  head: BuiltHead,
  targets: StepTargets,
  split: Split,
): Promise<{ readonly loss: number; readonly score: number } | null> => {
  const { data, signal } = request
  const rows = rowsOfSplit(data.splits, split)
  if (rows.length === 0) return null
  const { outputs, inputShape, model } = head
  const predict = (features: Float32Array, count: number) =>
    predictBatch(model, inputShape, features, count)
  const predictions = await predictRows({ data, rows, outputs, predict, signal })
  if (targets.scale !== null) unscale(predictions, targets.scale)
  const labels = Array.from(rows, (row) => data.labels[row] as readonly number[])
  const metrics = metricsOf(data.target, predictions, labels)
  return { loss: metrics.loss, score: scoreOf(metrics) }
}

/**
 * The metrics of an epoch: both splits measured after it, in inference mode, on view 0. Running means
 * over the epoch's steps would mix dropout and weights that no longer exist. Costs one forward pass.
 */
const measureEpoch = async (
  request: TrainRequest,
  head: BuiltHead,
  targets: StepTargets,
  epoch: number,
): Promise<EpochMetrics> => {
  const train = await measure(request, head, targets, 'train')
  const validation = await measure(request, head, targets, 'validation')
  for (const loss of [train?.loss ?? Number.NaN, validation?.loss ?? 0]) {
    if (!Number.isFinite(loss)) {
      throw new HeadstartError('HEAD_DIVERGED', `the loss is ${loss} after epoch ${epoch}`)
    }
  }
  return { epoch, train: train as NonNullable<typeof train>, validation }
}

const publish = (head: BuiltHead, targets: StepTargets, epoch: number): HeadArtifacts => {
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

/** Metrics of every split, measured on the artifacts as they will be served. */
const measurePublished = async (
  artifacts: HeadArtifacts,
  { data, signal }: TrainRequest,
): Promise<TrainedHead['metrics']> => {
  const predictor = await openHead(artifacts)
  try {
    const metrics: Partial<Record<Split, SplitMetrics>> = {}
    for (const split of SPLITS) {
      const measured = await evaluateHead(predictor, data, split, signal)
      if (measured !== undefined) metrics[split] = measured
    }
    return metrics
  } finally {
    predictor.close()
  }
}

/** An interruption stays one when its checkpoint cannot be saved: less work is kept, none is wrong. */
const saveInterrupted = async (progress: Progress): Promise<void> => {
  try {
    await progress.save()
  } catch (cause) {
    const since = progress.savedEpoch === 0 ? 'the start' : `epoch ${progress.savedEpoch}`
    const message = `interrupted; the progress since ${since} could not be saved: ${messageOf(cause)}`
    throw new HeadstartError('INTERRUPTED', message, { cause })
  }
}

const trainBuilt = async (request: TrainRequest, head: BuiltHead): Promise<TrainedHead> => {
  const { data, spec, seed, signal, onEpoch, checkpoint, onNotice } = request
  const trainRows = rowsOfSplit(data.splits, 'train')
  const targets = createStepTargets(spec, data, trainRows, head.lastDense !== null)
  const trainer = createTrainer({ head, spec, seed, data, targets })
  const fingerprint = checkpoint === undefined ? '' : trainingFingerprint(data, spec, seed)
  const progress = createProgress({ trainer, spec, checkpoint, fingerprint, onNotice })
  try {
    await progress.resume()
    while (progress.epoch < spec.epochs && !progress.stopped) {
      const epoch = progress.epoch + 1
      const { features } = data
      const plan = { rows: trainRows, views: features.viewCount, seed, epoch }
      await trainer.runEpoch(epochBatches(features, plan, spec.batchSize), epoch, signal)
      const metrics = await measureEpoch(request, head, targets, epoch)
      await progress.finishEpoch(metrics)
      await onEpoch?.(metrics)
    }
    await progress.saveFinal()
    const stoppedEarly = progress.stopped && progress.epoch < spec.epochs
    const bestEpoch = progress.keepBest()
    const artifacts = publish(head, targets, bestEpoch)
    const metrics = await measurePublished(artifacts, request)
    return { artifacts, history: progress.history, bestEpoch, stoppedEarly, metrics }
  } catch (error) {
    if (isHeadstartError(error, 'INTERRUPTED')) await saveInterrupted(progress)
    throw error
  } finally {
    progress.dispose()
    trainer.dispose()
  }
}

/**
 * Trains a head. The same data, spec, seed, backend and machine give the same bits, interrupted and
 * resumed or not. Features are used as they are; regression targets are standardised within, and the
 * published head predicts target units. Gives way to the event loop about every 10 ms.
 *
 * @throws HEAD_INVALID, HEAD_DIVERGED, INTERRUPTED (after saving the last finished epoch, or saying
 *   that it could not be saved)
 */
export const trainHead = async (request: TrainRequest): Promise<TrainedHead> => {
  const { data, spec, seed, signal } = request
  assertNotAborted(signal)
  assertTrainable(spec, data)
  await ensureHeadBackend()
  const { featureShape, target } = data
  const head = await buildHead({ spec, featureShape, target, seed })
  try {
    return await trainBuilt(request, head)
  } finally {
    head.dispose()
  }
}
