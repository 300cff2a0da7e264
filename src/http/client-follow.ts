// Owns waiting for jobs of a service: by its events, after a break by asking, until each has ended.

import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { z } from 'zod'
import { assertNotAborted, HeadstartError } from '../errors.js'
import { type JobHandle, type JobResult, type JobView, jobViewSchema } from '../queue/types.js'
import { rebuiltError, type Transport } from './client-transport.js'

/** Between a stream that broke and the next one. */
const RECONNECT_MS = 1_000
/** A service that is started again answers sooner. */
const GIVE_UP_MS = 120_000
/** An ended job that is asked for again is gone for a moment, before the new one is there. */
const GONE_MS = 3_000

export const jobPath = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`

type OnChange = (job: JobView) => void

const hasEnded = ({ state }: JobView): boolean => state !== 'waiting' && state !== 'active'

const lost = (id: string): HeadstartError =>
  new HeadstartError('JOB_LOST', `the queue does not know the job ${id} any more`)

/** Reads events until the job has ended; null when the stream ends before. */
const readEvents = async (
  transport: Transport,
  id: string,
  { onChange, signal }: { readonly onChange: OnChange; readonly signal: AbortSignal },
): Promise<JobView | null> => {
  const path = `${jobPath(id)}/events`
  const response = await transport.open({ path, accept: 'text/event-stream', signal })
  try {
    const events = Readable.toWeb(response)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream())
    for await (const { event, data } of events) {
      if (event === 'gone') throw lost(id)
      const job = jobViewSchema.parse(JSON.parse(data))
      onChange(job)
      if (hasEnded(job)) return job
    }
    return null
  } finally {
    response.destroy()
  }
}

/** @returns null when there is no such job. */
export const askJob = async (
  transport: Transport,
  id: string,
  signal?: AbortSignal,
): Promise<JobView | null> => {
  try {
    return await transport.ask(jobViewSchema, { path: jobPath(id), signal })
  } catch (error) {
    if (error instanceof HeadstartError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

/** Whether asking without events is worth a try. */
const mayPass = ({ code, retryable }: HeadstartError): boolean => retryable || code === 'NOT_FOUND'

/** One look: by events while they come, else by asking. Null when the job goes on. */
const look = async (
  transport: Transport,
  id: string,
  options: { readonly onChange: OnChange; readonly signal: AbortSignal },
): Promise<JobView | null> => {
  try {
    const ended = await readEvents(transport, id, options)
    if (ended !== null) return ended
  } catch (error) {
    assertNotAborted(options.signal)
    if (error instanceof HeadstartError && !mayPass(error)) throw error
  }
  const job = await askJob(transport, id, options.signal)
  if (job === null) throw lost(id)
  options.onChange(job)
  return hasEnded(job) ? job : null
}

/** Follows a job to its end through breaks of the connection. */
const followJob = async (
  transport: Transport,
  id: string,
  options: { readonly onChange: OnChange; readonly signal: AbortSignal },
): Promise<JobView> => {
  let silentSince: number | null = null
  for (;;) {
    try {
      const ended = await look(transport, id, options)
      if (ended !== null) return ended
      silentSince = null
    } catch (error) {
      assertNotAborted(options.signal)
      if (!(error instanceof HeadstartError && mayPass(error))) throw error
      silentSince ??= performance.now()
      const patienceMs = error.code === 'JOB_LOST' ? GONE_MS : GIVE_UP_MS
      if (performance.now() - silentSince > patienceMs) throw error
    }
    await sleep(RECONNECT_MS, undefined, { signal: options.signal }).catch(() => {})
    assertNotAborted(options.signal)
  }
}

/** @throws the error of a job that failed. */
const resultOf = <R extends JobResult>(job: JobView, schema: z.ZodType<R>): R => {
  const { id, state, result, error } = job
  if (state === 'cancelled')
    throw new HeadstartError('JOB_CANCELLED', `the job ${id} was cancelled`)
  if (error !== null && state === 'failed') throw rebuiltError(error)
  if (result === null) throw lost(id)
  return schema.parse(result)
}

interface Following {
  readonly jobs: readonly Promise<JobView>[]
  readonly stop: AbortController
}

/** A handle to jobs of a service. Nothing is asked until somebody listens or waits. */
export const createRemoteHandle = <R extends JobResult>(
  transport: Transport,
  ids: readonly string[],
  schema: z.ZodType<R>,
): JobHandle<R> => {
  const listeners = new Set<OnChange>()
  let following: Following | null = null
  let users = 0

  const enter = (): Following => {
    users += 1
    if (following !== null) return following
    const stop = new AbortController()
    const onChange: OnChange = (job) => {
      for (const listener of listeners) listener(job)
    }
    const jobs = ids.map((id) => followJob(transport, id, { onChange, signal: stop.signal }))
    for (const job of jobs) job.catch(() => {})
    following = { jobs, stop }
    return following
  }
  const leave = (): void => {
    users -= 1
    if (users > 0) return
    following?.stop.abort()
    following = null
  }

  return {
    ids,
    on: (_, listener) => {
      // Its own function: the same listener may be given twice.
      const own: OnChange = (job) => listener(job)
      listeners.add(own)
      enter()
      return () => {
        if (listeners.delete(own)) leave()
      }
    },
    finished: async ({ signal } = {}) => {
      assertNotAborted(signal)
      const { jobs } = enter()
      let onAbort = (): void => {}
      const interrupted = new Promise<never>((_, reject) => {
        onAbort = () => reject(new HeadstartError('INTERRUPTED', 'interrupted'))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        const results = jobs.map(async (job) => resultOf(await job, schema))
        return await Promise.race([Promise.all(results), interrupted])
      } finally {
        signal?.removeEventListener('abort', onAbort)
        leave()
      }
    },
    cancel: async () => {
      for (const id of ids)
        await transport.ask(jobViewSchema, { method: 'POST', path: `${jobPath(id)}/cancel` })
    },
  }
}
