// Owns what happens around every job: its payload is checked, its lock watched, its cancellation
// noticed, and its end told in BullMQ's words. Handlers see none of it.
import { DelayedError, type Job, WaitingError, type Worker } from 'bullmq'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { fromFailedReason, toJobFailure } from './failure.js'
import { createFence, type Fence } from './fence.js'
import { type JobKind, PAYLOAD_SCHEMAS, PAYLOAD_VERSION, type PayloadOf } from './jobs.js'
import type { QueueBackend } from './port.js'
import { isQueueFault } from './queue-fault.js'
import type { JobProgress, JobResult } from './types.js'

export const LOCK_DURATION_MS = 30_000
/** A killed worker's job is taken up after at most the lock and this. */
const STALLED_INTERVAL_MS = 7500
/** Killed workers are no fault of the job; a job that kills workers is given up all the same. */
const MAX_STALLED_COUNT = 20
/** How often a job in work looks whether it was cancelled, and at its fence. */
const WATCH_INTERVAL_MS = 1000
/** A payload of a newer version is left for newer workers, and looked at again after this. */
const NEWER_PAYLOAD_DELAY_MS = 30_000
/** A handler that could not ask the queue tries again after this: it may be back. */
const QUEUE_AWAY_DELAY_MS = 1000
/** A job that this worker is still letting go of comes back after this. */
const STILL_IN_HAND_DELAY_MS = 1000
const CLOSE_TIMEOUT_MS = 10_000

export interface ActiveJob<Kind extends JobKind> {
  readonly id: string
  readonly payload: PayloadOf[Kind]
  /** Tries that failed before this one. */
  readonly failedAttempts: number
  /** Somebody began it before, and may have saved rows: a try that failed, or a worker that died. */
  readonly wasBegun: boolean
  /** Milliseconds since the job was enqueued. */
  readonly ageMs: number
  /** What was reported last, by whichever worker. */
  readonly progress: unknown
  /** Fires when the job is cancelled, its lock lost, or the worker closes. */
  readonly signal: AbortSignal
  report(progress: JobProgress): Promise<void>
}

/** Thrown by a handler: nothing to do now, call again later. Holds no slot meanwhile. */
export class LookAgain extends Error {
  readonly delayMs: number
  constructor(delayMs: number) {
    super('look again later')
    this.delayMs = delayMs
  }
}

export interface Handler<Kind extends JobKind> {
  readonly kind: Kind
  /** Jobs at a time. */
  readonly concurrency: number
  run(job: ActiveJob<Kind>): Promise<JobResult>
  /** The job ended because it was cancelled. */
  onCancelled?(id: string): Promise<void>
}

export interface Consumer {
  /** Connected, and taking jobs. */
  isReady(): boolean
  /** Takes no new job; jobs in hand save what they have and are given back. */
  close(): Promise<void>
}

type Ending = 'cancelled' | 'fenced' | 'closing'

/** A job in hand. */
interface Hold {
  readonly fence: Fence
  stop(why: Ending): void
}

const isNewer = (data: unknown): boolean =>
  typeof data === 'object' &&
  data !== null &&
  'version' in data &&
  typeof data.version === 'number' &&
  data.version > PAYLOAD_VERSION

const parsePayload = <Kind extends JobKind>(kind: Kind, data: unknown): PayloadOf[Kind] => {
  const parsed = PAYLOAD_SCHEMAS[kind].safeParse(data)
  if (parsed.success) return parsed.data as PayloadOf[Kind]
  throw new HeadstartError('REQUEST_INVALID', `the payload is none of a ${kind} job`, {
    details: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  })
}

const cancelled = (): HeadstartError => new HeadstartError('JOB_CANCELLED', 'the job was cancelled')

/** How a handler ended, and why it was stopped where it was. */
interface End {
  readonly result: JobResult | null
  readonly error: unknown
  readonly ending: Ending | null
}

/** Stopped because the worker goes: another one takes the job at once. */
const isGivenBack = ({ error, ending }: End): boolean =>
  ending === 'closing' && isHeadstartError(error, 'INTERRUPTED')

/** When a handler wants to be called again; null: it has ended. */
const againAfterMs = ({ error }: End): number | null => {
  if (error instanceof LookAgain) return error.delayMs
  return isQueueFault(error) ? QUEUE_AWAY_DELAY_MS : null
}

/** @throws what the job is to fail with. */
const settle = ({ result, error, ending }: End): JobResult => {
  if (ending === 'cancelled' && isHeadstartError(error, 'INTERRUPTED')) throw cancelled()
  if (error !== null) throw error
  return result as JobResult
}

/** Ends the waiting of a call that never times out. */
const atMost = async (work: Promise<unknown>, ms: number): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

/** Takes jobs of one queue. Close it. */
export const consume = <Kind extends JobKind>(
  backend: QueueBackend,
  queueName: string,
  handler: Handler<Kind>,
  onNotice: (message: string) => void,
): Consumer => {
  const inHand = new Map<string, Hold>()
  let closing = false

  /** Looks at the job from outside, as a canceller would have changed it. */
  const watch = async (id: string): Promise<Ending | null> => {
    const job = (await backend.queue(queueName).getJob(id)) as Job | undefined
    // Gone: the queue was emptied. What is computed so far is saved, and found by the next request.
    if (job === undefined) return 'fenced'
    return (job.data as { cancelled?: boolean }).cancelled ? 'cancelled' : null
  }

  /** Runs the handler under watch. @returns why it was stopped, with its result or error. */
  const runWatched = async (job: Job, payload: PayloadOf[Kind]): Promise<End> => {
    const id = job.id as string
    const controller = new AbortController()
    let ending: Ending | null = null
    const stop = (why: Ending): void => {
      ending ??= why
      controller.abort()
    }
    // The lock is as old as the job's start, whenever its data arrived here.
    const lockAgeMs = Math.max(0, Date.now() - (job.processedOn ?? Date.now()))
    const fence = createFence(LOCK_DURATION_MS, lockAgeMs)
    inHand.set(id, { fence, stop })
    if (closing) stop('closing')
    const timer = setInterval(() => {
      // Redis may be away: the fence decides then, and the next look comes.
      if (fence.isLost) stop('fenced')
      else
        watch(id).then(
          (why) => {
            if (why !== null) stop(why)
          },
          () => undefined,
        )
    }, WATCH_INTERVAL_MS)
    try {
      const result = await handler.run({
        id,
        payload,
        failedAttempts: job.attemptsMade,
        wasBegun: job.attemptsStarted > 1,
        ageMs: Date.now() - job.timestamp,
        progress: job.progress,
        signal: controller.signal,
        report: (progress) => job.updateProgress(progress),
      })
      if (fence.isLost) ending = 'fenced'
      return { result, ending: ending as Ending | null, error: null }
    } catch (error) {
      if (fence.isLost) ending = 'fenced'
      return { result: null, ending: ending as Ending | null, error }
    } finally {
      clearInterval(timer)
      inHand.delete(id)
    }
  }

  /** @throws what BullMQ is to be told. */
  const fail = async (id: string, error: unknown): Promise<never> => {
    if (error instanceof DelayedError || error instanceof WaitingError) throw error
    if (isHeadstartError(error, 'JOB_CANCELLED')) await handler.onCancelled?.(id)
    throw toJobFailure(error)
  }

  const process = async (job: Job, token: string): Promise<JobResult> => {
    const later = async (delayMs: number): Promise<never> => {
      await job.moveToDelayed(Date.now() + Math.round(delayMs), token)
      throw new DelayedError()
    }
    if (isNewer(job.data)) {
      onNotice(`${job.id} was enqueued by a newer release: left for a newer worker`)
      return later(NEWER_PAYLOAD_DELAY_MS)
    }
    /** Whoever has the job by now keeps it; where nobody has, the next worker takes it at once. */
    const leave = async (): Promise<never> => {
      await job.moveToWait(token).catch(() => undefined)
      throw new WaitingError()
    }
    try {
      // It came back before the try that lost its lock has stopped: both would have one id.
      if (inHand.has(job.id as string)) return await later(STILL_IN_HAND_DELAY_MS)
      const payload = parsePayload(handler.kind, job.data)
      if (payload.cancelled) throw cancelled()
      const end = await runWatched(job, payload)
      if (end.ending === 'fenced') {
        // No failure of the job: its result, if there is one, is found in the store.
        onNotice(`${job.id}: the lock was lost, the job is left to others`)
        return await leave()
      }
      const delayMs = againAfterMs(end)
      if (delayMs !== null) return await later(delayMs)
      if (isGivenBack(end)) return await leave()
      return settle(end)
    } catch (error) {
      return await fail(job.id as string, error)
    }
  }

  const worker: Worker = backend.worker(queueName, process, {
    concurrency: handler.concurrency,
    lockDuration: LOCK_DURATION_MS,
    stalledInterval: STALLED_INTERVAL_MS,
    maxStalledCount: MAX_STALLED_COUNT,
  })
  let ready = false
  worker.on('ready', () => {
    ready = true
  })
  worker.on('locksRenewed', ({ jobIds }) => {
    for (const id of jobIds) inHand.get(id)?.fence.renewed()
  })
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const id of jobIds) inHand.get(id)?.fence.lost()
  })
  worker.on('failed', (job, error) => {
    const { code, message } = fromFailedReason(error.message)
    onNotice(`${job?.id ?? 'a job'} failed: ${code}: ${message}`)
  })
  worker.on('stalled', (id) => onNotice(`${id} is taken up again: its worker died`))
  let lastError = ''
  worker.on('error', (error) => {
    // A server that is away says so many times a second.
    if (messageOf(error) !== lastError) onNotice(`queue: ${messageOf(error)}`)
    lastError = messageOf(error)
  })

  return {
    isReady: () => ready && !closing && worker.isRunning(),
    close: async () => {
      closing = true
      for (const hold of inHand.values()) hold.stop('closing')
      await atMost(worker.close(), CLOSE_TIMEOUT_MS)
    },
  }
}
