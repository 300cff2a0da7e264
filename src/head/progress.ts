// Owns what a training remembers from epoch to epoch: history, the best epoch, when to stop,
// and the copy from which an interrupted training goes on.
import * as tf from '@tensorflow/tfjs-core'
import { messageOf } from '../errors.js'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.js'
import type { HeadSpec } from './spec.js'
import { disposeCopy, readCopy, readTensors, type Trainer, type TrainerCopy } from './trainer.js'
import type { EpochMetrics } from './types.js'

const SAVE_EVERY_MS = 2000

export interface Progress {
  readonly history: readonly EpochMetrics[]
  /** The last finished epoch; 0 before the first. */
  readonly epoch: number
  /** Whether early stopping has ended the training. */
  readonly stopped: boolean
  /** Goes on from the checkpoint if it holds a state of this training. */
  resume(): Promise<void>
  /** The last epoch that the checkpoint holds; 0 when it holds none. */
  readonly savedEpoch: number
  /** Takes in a finished epoch; saves it if the last try is 2 s or more ago. Failing to is a notice. */
  finishEpoch(metrics: EpochMetrics): Promise<void>
  /** Saves the last finished epoch, unless it is saved. Throws what the checkpoint throws. */
  save(): Promise<void>
  /** Saves the final state of a training that was long enough to be saved before. Failing to is a notice. */
  saveFinal(): Promise<void>
  /** Puts the weights to keep into the model and returns their epoch. */
  keepBest(): number
  dispose(): void
}

/** Improvement is strict: by more than minDelta. */
const improves = (stopping: NonNullable<HeadSpec['earlyStopping']>, value: number, best: number) =>
  stopping.metric === 'loss' ? value < best - stopping.minDelta : value > best + stopping.minDelta

export const createProgress = (request: {
  readonly trainer: Trainer
  readonly spec: HeadSpec
  readonly checkpoint: Checkpoint | undefined
  readonly fingerprint: string
  readonly onNotice?: ((message: string) => void) | undefined
}): Progress => {
  const { trainer, spec, checkpoint, fingerprint, onNotice } = request
  const stopping = spec.earlyStopping
  let history: EpochMetrics[] = []
  let waited = 0
  let best: { epoch: number; value: number; weights: tf.Tensor[] } | null = null
  let copy: TrainerCopy | null = null
  let savedEpoch = 0
  let triedAt = performance.now()
  let noticed = false

  const setBest = (epoch: number, value: number, weights: tf.Tensor[]): void => {
    if (best !== null) tf.dispose(best.weights)
    best = { epoch, value, weights }
  }

  const watch = (metrics: EpochMetrics): void => {
    if (stopping === null || metrics.validation === null) return
    const value = metrics.validation[stopping.metric]
    if (best === null || improves(stopping, value, best.value)) {
      setBest(metrics.epoch, value, trainer.copyWeights())
      waited = 0
    } else {
      waited += 1
    }
  }

  const save = async (): Promise<void> => {
    if (checkpoint === undefined || copy === null || history.length <= savedEpoch) return
    triedAt = performance.now()
    const bytes = encodeCheckpoint(fingerprint, {
      epoch: history.length,
      step: copy.optimizer.step,
      waited,
      bestEpoch: best?.epoch ?? 0,
      bestValue: best?.value ?? null,
      history,
      ...readCopy(copy),
      best: best === null ? [] : readTensors(best.weights),
    })
    await checkpoint.save(bytes)
    savedEpoch = history.length
    triedAt = performance.now()
  }

  /** A training is worth more than its checkpoint: it goes on without one, and says so once. */
  const trySave = async (): Promise<void> => {
    try {
      await save()
    } catch (error) {
      if (noticed) return
      noticed = true
      onNotice?.(
        `the training goes on, but an interruption would lose it: its state cannot be saved (${messageOf(error)})`,
      )
    }
  }

  return {
    get history() {
      return history
    },
    get epoch() {
      return history.length
    },
    get savedEpoch() {
      return savedEpoch
    },
    get stopped() {
      return stopping !== null && waited >= stopping.patience
    },
    resume: async () => {
      const bytes = await checkpoint?.load()
      const state = bytes ? decodeCheckpoint(bytes, fingerprint) : null
      if (state === null || !trainer.restore(state.step, state.weights, state.optimizer)) return
      history = [...state.history]
      waited = state.waited
      savedEpoch = state.epoch
      copy = trainer.copy()
      if (state.bestValue === null) return
      const weights = copy.weights.map((weight, index) =>
        tf.tensor(state.best[index] as Float32Array, weight.shape, 'float32'),
      )
      setBest(state.bestEpoch, state.bestValue, weights)
    },
    finishEpoch: async (metrics) => {
      history.push(metrics)
      watch(metrics)
      if (checkpoint === undefined) return
      if (copy !== null) disposeCopy(copy)
      copy = trainer.copy()
      if (performance.now() - triedAt >= SAVE_EVERY_MS) await trySave()
    },
    save,
    saveFinal: async () => {
      if (savedEpoch > 0) await trySave()
    },
    keepBest: () => {
      if (best === null) return history.length
      trainer.setWeights(best.weights)
      return best.epoch
    },
    dispose: () => {
      if (best !== null) tf.dispose(best.weights)
      if (copy !== null) disposeCopy(copy)
      best = null
      copy = null
    },
  }
}
