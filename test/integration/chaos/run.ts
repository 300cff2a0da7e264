// A run on a cluster of its own: two extract workers, and train workers when it is their turn.
import { expect } from 'vitest'
import type { TrainingHandle } from '../../../src/queue/types.js'
import { type Cluster, type ClusterOptions, startCluster } from '../../support/cluster.js'
import type { WorkerProcess } from '../../support/cluster.js'
import { fileStoreUrl, type Inputs, type Left, lookInto, ROWS } from './outcome.js'
import { type Point, untilPoint } from './points.js'

/** A lock lasts 30 s, and who died is looked for every 7.5 s. */
export const RECOVERY_MS = 45_000

/** Five runs at a time, most of them waiting for a lock to pass. */
export const RUN_TIMEOUT_MS = 300_000

export interface Run {
  readonly cluster: Cluster
  readonly handle: TrainingHandle
  readonly workers: readonly WorkerProcess[]
}

/** Starts a run, and waits for a point of it. */
export const startRun = async (
  inputs: Inputs,
  options: Pick<ClusterOptions, 'queue'> & Partial<ClusterOptions>,
  point: Point,
): Promise<Run> => {
  const cluster = await startCluster({ store: await fileStoreUrl(), ...options })
  const isTraining = point.phase === 'training'
  const extracting = await Promise.all([cluster.start('extract'), cluster.start('extract')])
  const handle = await cluster.service.enqueueTraining(inputs.experiment, {
    folder: inputs.folder,
  })
  if (!isTraining) {
    await untilPoint(cluster, handle, point)
    return { cluster, handle, workers: extracting }
  }
  await handle.extraction.finished()
  const workers = await Promise.all([cluster.start('train'), cluster.start('train')])
  await untilPoint(cluster, handle, point)
  return { cluster, handle, workers }
}

/** Lets the run end, and compares what it left. */
export const finishRun = async (
  { cluster, handle }: Run,
  point: Point,
  expected: Promise<Left>,
): Promise<void> => {
  await handle.extraction.finished()
  if (point.phase !== 'training') await cluster.start('train')
  await handle.finished()
  expect(await lookInto(cluster.workspace.store, ROWS)).toEqual(await expected)
  await cluster.close()
}
