// Owns stage 2: one head trained on features, from spec to published artifacts and their metrics.
// Refuses data or a spec that cannot be trained, and a loss that is not finite.
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { ensureHeadBackend } from './backend.js'
import { measureBatchNormalization } from './batch-normalization.js'
import { epochBatches, rowsOfSplit } from './batches.js'
import { type BuiltHead, buildHead } from './build.js'
import { type Checkpoint, trainingFingerprint } from './checkpoint.js'
import { predictRows } from './evaluate.js'
import { type ExactHead, solveTogether } from './exact/solve-together.js'
import { metricsOf, scoreOf } from './metrics.js'
import { predictBatch } from './predict-head.js'
import { createProgress, type Progress } from './progress.js'
import { measureTrained, publishHead } from './publish.js'
import { type FirstOrderSpec, type HeadSpec, isExactSpec } from './spec.js'
import { createStepTargets, type StepTargets, unscale } from './targets.js'
import { createTrainer } from './trainer.js'
import type { EpochMetrics, SplitMetrics, TrainedHead, TrainingData } from './types.js'
import { assertTrainable } from './validate.js'

export { measureSplit } from './publish.js'

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

type FirstOrderRequest = TrainRequest & { readonly spec: FirstOrderSpec }

/** Train rows that the metrics of an epoch are measured on, at most. */
const EPOCH_TRAIN_ROWS = 4096

/** Loss and score of rows in inference mode on view 0; null where there is none. */
const measure = async (
  request: FirstOrderRequest,
  head: BuiltHead,
  targets: StepTargets,
  rows: Uint32Array,
): Promise<{ readonly loss: number; readonly score: number } | null> => {
  const { data, signal } = request
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
 * The metrics of an epoch, measured after it, in inference mode, on view 0: of the first 4,096 train rows
 * and of all validation rows. Running means over the epoch's steps would mix dropout and weights that no
 * longer exist. Costs one forward pass.
 */
const measureEpoch = async (
  request: FirstOrderRequest,
  head: BuiltHead,
  targets: StepTargets,
  epoch: number,
): Promise<EpochMetrics> => {
  const { splits } = request.data
  // Rows are ordered by the hash of their content: the first ones are a uniform sample.
  const sample = rowsOfSplit(splits, 'train').subarray(0, EPOCH_TRAIN_ROWS)
  const train = await measure(request, head, targets, sample)
  const validation = await measure(request, head, targets, rowsOfSplit(splits, 'validation'))
  for (const loss of [train?.loss ?? Number.NaN, validation?.loss ?? 0]) {
    if (!Number.isFinite(loss)) {
      throw new HeadstartError('HEAD_DIVERGED', `the loss is ${loss} after epoch ${epoch}`)
    }
  }
  return { epoch, train: train as NonNullable<typeof train>, validation }
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

const trainBuilt = async (request: FirstOrderRequest, head: BuiltHead): Promise<TrainedHead> => {
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
    const artifacts = publishHead(head, targets, bestEpoch)
    const metrics = await measureTrained(artifacts, data, signal)
    const inferenceMode = metrics.train as SplitMetrics
    const { batchSize } = spec
    const modes = { head, data, targets, batchSize, inferenceMode, signal }
    const batchNormalization = await measureBatchNormalization(modes)
    const { history } = progress
    return { artifacts, history, bestEpoch, stoppedEarly, metrics, batchNormalization }
  } catch (error) {
    if (isHeadstartError(error, 'INTERRUPTED')) await saveInterrupted(progress)
    throw error
  } finally {
    progress.dispose()
    trainer.dispose()
  }
}

/** A single head of the exact solver. */
const trainExact = async (request: TrainRequest, spec: ExactHead['spec']): Promise<TrainedHead> => {
  const { data, seed, signal, onEpoch, checkpoint, onNotice } = request
  const [outcome] = await solveTogether({
    ...{ data, signal, checkpoint, onNotice },
    heads: [{ spec, seed, views: data.features.viewCount }],
    onEpoch: (_, metrics) => onEpoch?.(metrics),
  })
  if (outcome?.state !== 'trained')
    throw new HeadstartError('HEAD_DIVERGED', outcome?.message ?? '')
  return outcome.head
}

/**
 * Trains a head; one with an exact solver by `solveTogether`. The same data, spec, seed, backend and
 * machine give the same bits, interrupted and resumed or not. Features are used as they are; regression
 * targets are standardised within, and the published head predicts target units. Gives way to the event
 * loop about every 10 ms. Does not read the test split: see `measureSplit`.
 *
 * @throws HEAD_INVALID, HEAD_DIVERGED, INTERRUPTED (after saving the last finished epoch, or saying
 *   that it could not be saved)
 */
export const trainHead = async (request: TrainRequest): Promise<TrainedHead> => {
  const { data, spec, seed, signal } = request
  assertNotAborted(signal)
  assertTrainable(spec, data)
  if (isExactSpec(spec)) return trainExact(request, spec)
  await ensureHeadBackend()
  const { featureShape, target } = data
  const head = await buildHead({ spec, featureShape, target, seed })
  try {
    return await trainBuilt({ ...request, spec }, head)
  } finally {
    head.dispose()
  }
}
