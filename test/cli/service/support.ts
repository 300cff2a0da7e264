// Owns a service that exists in the test's memory only: jobs that the test moves, and the context of a
// command that goes through it.
import type { Context } from '../../../src/cli/context.js'
import type {
  ExtractionJobProgress,
  JobHandle,
  JobResult,
  JobView,
  QueueCounts,
  Service,
} from '../../../src/queue/types.js'

export const ids = {
  training: `training-${'a'.repeat(64)}`,
  views: [`extraction-${'b'.repeat(64)}`, `extraction-${'c'.repeat(64)}`],
} as const

export const jobOf = (id: string, members: Partial<JobView> = {}): JobView => ({
  id,
  kind: id.startsWith('training') ? 'training' : 'extraction',
  state: 'active',
  createdAt: '2020-01-02T03:04:05.678Z',
  startedAt: null,
  finishedAt: null,
  failedAttempts: 0,
  datasetId: null,
  progress: null,
  result: null,
  error: null,
  ...members,
})

export const extractionOf = (
  id: string,
  progress: Partial<ExtractionJobProgress>,
  members: Partial<JobView> = {},
): JobView =>
  jobOf(id, {
    ...members,
    progress: {
      ...{ kind: 'extraction', phase: 'computing', total: 10, done: 0, computed: 0 },
      ...{ shards: { total: 1, done: 0, failed: 0 }, waitingFor: null },
      ...progress,
    },
  })

export const createHandle = <Result extends JobResult>(
  handled: readonly string[],
  finished: JobHandle<Result>['finished'],
) => {
  const listeners = new Set<(job: JobView) => void>()
  return {
    ids: handled,
    on: (_: 'progress', listener: (job: JobView) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    finished,
    cancel: async () => undefined,
    /** Shows a job to who listens. */
    show: (job: JobView) => {
      for (const listener of listeners) listener(job)
    },
    listeners,
  }
}

/** Only what is given; anything else is not to be called. */
export const serviceOf = (members: Partial<Service>): Service => members as Service

export const countsOf = (members: Partial<QueueCounts>): QueueCounts => ({
  ...{ kind: 'training', engine: null, waiting: 0, active: 0, completed: 0, failed: 0, workers: 0 },
  ...members,
})

/** Draws into `said`, one line a call. */
export const createContext = (
  signal: AbortSignal = new AbortController().signal,
): { readonly context: Context; readonly said: string[] } => {
  const said: string[] = []
  const context = {
    signal,
    explainInterruption: (message: string) => said.push(`on a signal: ${message}`),
    progress: {
      stop: () => undefined,
      onTraining: ({ head, heads, epoch }) => said.push(`head ${head}/${heads} epoch ${epoch}`),
      events: {
        onNotice: (message) => said.push(message),
        onExtract: ({ done, total }, view, views) =>
          said.push(`view ${view}/${views} ${done}/${total}`),
      },
    },
  } as Partial<Context> as Context
  return { context, said }
}
