// Owns the blocks of a pass: rows of several steps with their targets, so that a group keeps its weights in
// the cache while it takes them one after the other. Two blocks in turn: one is filled while hosts train.
import { type EpochRequest, epochBatches } from '../batches.js'
import type { TrainingData } from '../types.js'
import type { StepBlock } from './host.js'
import type { Hosts } from './hosts.js'
import type { TaskTargets } from './task-targets.js'

/** Features of one block, in numbers: 8 MiB. */
const BLOCK_VALUES = 2 ** 21

export interface StepBlocks {
  /** A block stays valid while one more is asked for. @throws the errors of FeatureSource.read. */
  read(epoch: EpochRequest): AsyncGenerator<StepBlock>
}

/** @param rows of an epoch. */
export const createStepBlocks = (request: {
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly hosts: Hosts
  readonly batchSize: number
  readonly rows: number
}): StepBlocks => {
  const { data, targets, hosts, batchSize, rows: rowsOfEpoch } = request
  const { units } = targets
  const steps = Math.max(1, Math.floor(BLOCK_VALUES / (batchSize * data.width)))
  const size = Math.min(steps * batchSize, rowsOfEpoch)
  const isSingle = data.target.kind === 'single'
  const buffers = [0, 1].map(() => ({
    features: hosts.floats(size * data.width),
    targets: hosts.floats(size * units),
    classes: hosts.integers(size),
    folds: hosts.integers(size),
  }))
  const features = buffers.map((buffer) => buffer.features)
  return {
    read: async function* (epoch) {
      let turn = 0
      for await (const batch of epochBatches(data.features, epoch, size, features)) {
        const { count, rows } = batch
        const block = buffers[turn % 2] as (typeof buffers)[number]
        targets.fill(rows, count, block.targets)
        for (let index = 0; index < count; index += 1) {
          const row = rows[index] as number
          block.classes[index] = isSingle ? (data.labels[row]?.[0] as number) : 0
          block.folds[index] = targets.foldOf(row) ?? -1
        }
        yield { ...block, count }
        turn += 1
      }
    },
  }
}
