// Owns the service in this process: requests become jobs of the queue, answers come from the queue and
// the store. The HTTP client is the same service from afar.
import { listRuns } from '../catalog/list.js'
import { showSweep } from '../catalog/sweeps.js'
import { HeadstartError, messageOf } from '../errors.js'
import { parseExperiment, parseExtraction } from '../experiment/schema.js'
import type { Workspace } from '../experiment/workspace.js'
import { ENGINES } from '../extractor/spec.js'
import { findRun } from '../model/find-run.js'
import { cancelIn } from './cancel.js'
import { enqueueExtractionJobs, enqueueTrainingJobs } from './enqueue.js'
import { createHandle } from './handle.js'
import { viewOf } from './job-view.js'
import { EXTRACTION_QUEUE, JOB_KINDS, kindOfJobId, queueNamesOf } from './jobs.js'
import type { QueueBackend } from './port.js'
import { isQueueFault } from './queue-fault.js'
import { readJob } from './read-job.js'
import { createSingleFlight } from './single-flight.js'
import type {
  EnqueueOptions,
  ExtractionHandle,
  ExtractionJobResult,
  JobFilter,
  JobView,
  QueueCounts,
  Service,
  TrainingJobResult,
} from './types.js'
import { withinTime } from './within-time.js'

const PING_TIMEOUT_MS = 3000
const DEFAULT_LIMIT = 100
const LISTED = ['active', 'waiting', 'prioritized', 'delayed', 'completed', 'failed'] as const

/** What the queue's library throws while the queue is away, in the catalogue's words. */
const asking = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HeadstartError || !isQueueFault(error)) throw error
    throw new HeadstartError('QUEUE_UNAVAILABLE', messageOf(error), { cause: error })
  }
}

const notFound = (id: string): HeadstartError =>
  new HeadstartError('NOT_FOUND', `there is no job ${JSON.stringify(id.slice(0, 100))}`)

/** @param backend stays the caller's, as the workspace does. */
export const createService = (backend: QueueBackend, workspace: Workspace): Service => {
  const context = { backend, workspace }
  const once = createSingleFlight()
  /** Work that one caller may stop is not shared with others. */
  const sharing = <T>(
    key: readonly unknown[],
    { signal }: EnqueueOptions,
    work: () => Promise<T>,
  ) => (signal === undefined ? once(key, work) : work())

  const find = async (id: string) => {
    const kind = kindOfJobId(id)
    if (kind === null) return null
    for (const name of queueNamesOf(kind)) {
      const queue = backend.queue(name)
      const seen = await readJob(queue, id)
      if (seen !== null) return { queue, ...seen }
    }
    return null
  }

  const getJob = (id: string): Promise<JobView | null> =>
    asking(async () => {
      const found = await find(id)
      return found === null ? null : viewOf(found.job, found.state)
    })

  const cancelJob = (id: string): Promise<JobView> =>
    asking(async () => {
      const kind = kindOfJobId(id)
      const names = kind === null ? [] : queueNamesOf(kind)
      let known = false
      for (const name of names) known = (await cancelIn(backend, name, id)) || known
      const job = known ? await getJob(id) : null
      if (job === null) throw notFound(id)
      return job
    })

  const source = { getJob, cancelJob }

  const extractionHandle = (
    ids: readonly string[],
    featureSetIds: readonly string[],
  ): ExtractionHandle => ({ ...createHandle<ExtractionJobResult>(source, ids), featureSetIds })

  /** Jobs of one queue in one state of BullMQ's, newest first. */
  const viewsIn = async (name: string, listed: (typeof LISTED)[number], last: number) => {
    const jobs = await backend.queue(name).getJobs([listed], 0, last)
    return jobs
      .filter((job) => kindOfJobId(job?.id ?? '') !== null)
      .map((job) => viewOf(job, listed))
  }

  const listJobs = ({ kind, state, limit = DEFAULT_LIMIT }: JobFilter = {}) =>
    asking(async () => {
      const kinds = kind === undefined ? JOB_KINDS.filter((one) => one !== 'shard') : [kind]
      // What this software calls a state may be several of BullMQ's.
      const last = state === undefined ? limit - 1 : -1
      const views = await Promise.all(
        kinds
          .flatMap(queueNamesOf)
          .flatMap((name) => LISTED.map((listed) => viewsIn(name, listed, last))),
      )
      return views
        .flat()
        .filter((job) => state === undefined || job.state === state)
        .sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt))
        .slice(0, limit)
    })

  const counts = () =>
    asking(async () => {
      const all: QueueCounts[] = []
      for (const kind of JOB_KINDS)
        for (const [index, name] of queueNamesOf(kind).entries()) {
          const seen = await backend.queue(name).getJobCounts()
          all.push({
            kind,
            engine: kind === 'shard' ? (ENGINES[index] ?? null) : null,
            waiting: (seen.waiting ?? 0) + (seen.prioritized ?? 0) + (seen.delayed ?? 0),
            active: seen.active ?? 0,
            completed: seen.completed ?? 0,
            failed: seen.failed ?? 0,
            workers: await backend.countWorkers(name),
          })
        }
      return all
    })

  return {
    url: backend.url,
    enqueueExtraction: async (request, options) => {
      const parsed = parseExtraction(request)
      const { ids, featureSetIds } = await sharing(
        ['extraction', parsed, options.folder],
        options,
        () => asking(() => enqueueExtractionJobs(context, parsed, options)),
      )
      return extractionHandle(ids, featureSetIds)
    },
    enqueueTraining: async (request, options) => {
      const parsed = parseExperiment(request)
      const { id, runIds, extraction } = await sharing(
        ['training', parsed, options.folder],
        options,
        () => asking(() => enqueueTrainingJobs(context, parsed, options)),
      )
      return {
        ...createHandle<TrainingJobResult>(source, [id]),
        runIds,
        extraction: extractionHandle(extraction.ids, extraction.featureSetIds),
      }
    },
    getJob,
    listJobs,
    attach: (ids) => createHandle(source, ids),
    cancelJob,
    removeJob: (id) =>
      asking(async () => {
        const found = await find(id)
        if (found === null) throw notFound(id)
        const { state } = viewOf(found.job, found.state)
        if (state === 'waiting' || state === 'active')
          throw new HeadstartError('IN_USE', `${id} has not ended: cancel it first`)
        // Refused while a worker holds it, if only to end it.
        if ((await found.queue.remove(id)) === 0 && (await find(id)) !== null)
          throw new HeadstartError(
            'IN_USE',
            `${id} is being cancelled: its worker has not ended it`,
          )
      }),
    getRun: (reference) => findRun(workspace.store, reference),
    getSweep: async (reference) => (await showSweep(workspace.store, reference)).sweep,
    listRuns: () => listRuns(workspace.store),
    counts,
    ping: async () => {
      const answer = asking(() => backend.queue(EXTRACTION_QUEUE).getJobCounts('waiting'))
      const late = () => new HeadstartError('QUEUE_UNAVAILABLE', 'the queue does not answer')
      await withinTime(answer, PING_TIMEOUT_MS, late)
    },
    close: async () => undefined,
  }
}
