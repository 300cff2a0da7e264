// Owns the blocks that hosts train on: rows of several steps with their targets, so that a group keeps its
// weights in the cache while it takes them one after the other. Two in turn: one is filled while hosts
// train on the other. The memory is used for every epoch and pass: dropped shared memory is freed late.
import { type EpochRequest, epochBatches } from '../batches.js'
import type { TrainingData } from '../types.js'
import type { StepBlock } from './host.js'
import type { Hosts } from './hosts.js'
import type { TaskTargets } from './task-targets.js'

/** Features of one block, in numbers: 8 MiB, or one batch. */
const BLOCK_VALUES = 2 ** 21

export interface StepBlocks {
  /**
   * One reader at a time. A block stays valid while one more is asked for.
   *
   * @throws the errors of FeatureSource.read.
   */
  read(epoch: EpochRequest, batchSize: number): AsyncGenerator<StepBlock>
}

type Buffer = Omit<StepBlock, 'count'>

export const createStepBlocks = (request: {
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly hosts: Hosts
}): StepBlocks => {
  const { data, targets, hosts } = request
  const { units } = targets
  const isSingle = data.target.kind === 'single'
  let buffers: Buffer[] = []
  const buffersOf = (size: number): readonly Buffer[] => {
    if ((buffers[0]?.folds.length ?? 0) < size)
      buffers = [0, 1].map(() => ({
        features: hosts.floats(size * data.width),
        targets: hosts.floats(size * units),
        classes: hosts.integers(size),
        folds: hosts.integers(size),
      }))
    return buffers
  }
  return {
    read: async function* (epoch, batchSize) {
      const steps = Math.max(1, Math.floor(BLOCK_VALUES / (batchSize * data.width)))
      const size = Math.min(steps * batchSize, epoch.rows.length)
      const own = buffersOf(size)
      const features = own.map((buffer) => buffer.features.subarray(0, size * data.width))
      let turn = 0
      for await (const batch of epochBatches(data.features, epoch, size, features)) {
        const { count, rows } = batch
        const block = own[turn % 2] as Buffer
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
