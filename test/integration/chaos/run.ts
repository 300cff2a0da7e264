// A run on a cluster of its own, brought to a point and then to its end.
import { expect } from 'vitest'
import type { JobHandle, JobResult } from '../../../src/queue/types.js'
import {
  type Cluster,
  type ClusterOptions,
  startCluster,
  type WorkerProcess,
} from '../../support/cluster.js'
import { fileStoreUrl, type Inputs, type Left, lookInto, ROWS, withoutHeads } from './outcome.js'
import { type Point, untilPoint } from './points.js'

/** A lock lasts 30 s, and who died is looked for every 7.5 s. */
export const RECOVERY_MS = 45_000

/** Five runs at a time, most of them waiting for a lock to pass. */
export const RUN_TIMEOUT_MS = 300_000

export interface Run {
  readonly cluster: Cluster
  readonly handle: JobHandle<JobResult>
  readonly workers: readonly WorkerProcess[]
}

const startExtraction = async (
  cluster: Cluster,
  { folder, extraction }: Inputs,
  count: number,
): Promise<Run> => {
  const workers = await Promise.all(Array.from({ length: count }, () => cluster.start('extract')))
  const handle = await cluster.service.enqueueExtraction(extraction, { folder })
  return { cluster, handle, workers }
}

const startTraining = async (
  cluster: Cluster,
  { folder, experiment }: Inputs,
  count: number,
): Promise<Run> => {
  const kinds = Array.from({ length: count }, () => 'train' as const)
  const [, ...workers] = await Promise.all((['extract', ...kinds] as const).map(cluster.start))
  const handle = await cluster.service.enqueueTraining(experiment, { folder })
  return { cluster, handle, workers }
}

interface RunOptions extends Partial<ClusterOptions> {
  readonly queue: string
  /** Workers of the kind whose turn it is. */
  readonly workers: number
}

/** Starts a run, and waits for a point of it. */
export const startRun = async (
  inputs: Inputs,
  { workers, ...options }: RunOptions,
  point: Point,
): Promise<Run> => {
  const cluster = await startCluster({ store: await fileStoreUrl(), ...options })
  const start = point.phase === 'training' ? startTraining : startExtraction
  const run = await start(cluster, inputs, workers)
  await untilPoint(cluster, run.handle, point)
  return run
}

/** Lets the run end, and compares what it left. */
export const finishRun = async (
  { cluster, handle }: Run,
  point: Point,
  expected: Promise<Left>,
): Promise<void> => {
  await handle.finished()
  const left = await lookInto(cluster.workspace.store, ROWS)
  const undisturbed = await expected
  expect(left).toEqual(point.phase === 'training' ? undisturbed : withoutHeads(undisturbed))
  await cluster.close()
}
