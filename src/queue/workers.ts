// Owns a worker: the queues that it takes jobs of, the stage processes that do the work, and their end.
import type { Workspace } from '../experiment/workspace.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { isEngineInstalled } from '../extractor/probe-engine.js'
import { ENGINES, type EngineName } from '../extractor/spec.js'
import { type Consumer, consume, type Handler } from './consume.js'
import { createCoordinator } from './coordinate.js'
import { EXTRACTION_QUEUE, type JobKind, shardQueueName, TRAINING_QUEUE } from './jobs.js'
import type { QueueBackend } from './port.js'
import { assertBindings, type Binding, type WorkerKind } from './registry.js'
import { createSlots, environmentsOf, listGpus, type Slots } from './slots.js'
import { createShardHandler } from './work-shard.js'
import { createTrainingHandler } from './work-training.js'

export interface WorkerOptions {
  readonly backend: QueueBackend
  readonly workspace: Workspace
  /** Value of CUDA_VISIBLE_DEVICES; undefined: all devices. */
  readonly visibleGpus?: string | undefined
  readonly onNotice?: ((message: string) => void) | undefined
}

export interface RunningWorker {
  readonly kind: WorkerKind
  /** Engines whose shards it takes; none for a train worker. */
  readonly engines: readonly EngineName[]
  /** Whether it takes jobs. */
  isReady(): boolean
  /**
   * Takes no new job. Jobs in hand stop after their batch, save what they have and are given back.
   *
   * @param options.force do not wait for them: their processes are killed.
   */
  close(options?: { readonly force?: boolean }): Promise<void>
}

interface Bound<Kind extends JobKind = JobKind> extends Binding {
  readonly handler: Handler<Kind>
}

/** Engines that are installed here; whether they run is found out by the first shard. */
const enginesHere = (settings: EngineSettings): readonly EngineName[] =>
  ENGINES.filter((engine) => isEngineInstalled(engine, settings))

const bindExtract = async (
  options: Required<Pick<WorkerOptions, 'backend' | 'workspace'>> & {
    visibleGpus: string | undefined
  },
  onNotice: (message: string) => void,
): Promise<{ bound: Bound[]; slots: Slots[]; engines: readonly EngineName[] }> => {
  const { backend, workspace } = options
  const gpus = await listGpus(options.visibleGpus)
  const engines = enginesHere(workspace.engines)
  const slots: Slots[] = []
  const coordinator = createCoordinator({ backend, workspace, onNotice })
  const bound: Bound[] = [
    {
      kind: 'extraction',
      queueName: EXTRACTION_QUEUE,
      handler: coordinator as unknown as Handler<JobKind>,
    },
  ]
  for (const engine of engines) {
    const own = createSlots(environmentsOf(engine, gpus, workspace.engines.device), {
      workspace: workspace.options,
      onNotice,
    })
    slots.push(own)
    const queueName = shardQueueName(engine)
    const handler = createShardHandler({ backend, workspace, slots: own, onNotice }, queueName)
    bound.push({ kind: 'shard', queueName, handler: handler as unknown as Handler<JobKind> })
  }
  return { bound, slots, engines }
}

const bindTrain = (
  { backend, workspace }: Pick<WorkerOptions, 'backend' | 'workspace'>,
  onNotice: (message: string) => void,
): { bound: Bound[]; slots: Slots[]; engines: readonly EngineName[] } => {
  const slots = createSlots([{}], { workspace: workspace.options, onNotice })
  const handler = createTrainingHandler({ backend, workspace, slots })
  const bound = [
    {
      kind: 'training' as const,
      queueName: TRAINING_QUEUE,
      handler: handler as unknown as Handler<JobKind>,
    },
  ]
  return { bound, slots: [slots], engines: [] }
}

/**
 * Starts a worker in this process; the work itself is done in processes of its own.
 *
 * @throws WORKER_INVALID.
 */
export const startWorker = async (
  kind: WorkerKind,
  options: WorkerOptions,
): Promise<RunningWorker> => {
  const { backend, workspace, visibleGpus, onNotice = () => undefined } = options
  const { bound, slots, engines } =
    kind === 'extract'
      ? await bindExtract({ backend, workspace, visibleGpus }, onNotice)
      : bindTrain({ backend, workspace }, onNotice)
  assertBindings(kind, bound)
  const consumers: Consumer[] = bound.map(({ queueName, handler }) =>
    consume(backend, queueName, handler, onNotice),
  )
  let forced = false
  return {
    kind,
    engines,
    isReady: () => consumers.every((consumer) => consumer.isReady()),
    close: async ({ force = false } = {}) => {
      forced ||= force
      // First no new job is taken, and those in hand know why their process dies.
      const ended = Promise.all(consumers.map((consumer) => consumer.close()))
      if (force) await Promise.all(slots.map((one) => one.close(true)))
      await ended
      await Promise.all(slots.map((one) => one.close(forced)))
    },
  }
}
