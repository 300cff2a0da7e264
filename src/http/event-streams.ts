// Owns job progress as server-sent events: the state at once, then every change, a comment while
// nothing changes, and the end after the final event. A slow reader gets the newest state, not all.
import type { ServerResponse } from 'node:http'
import { HeadstartError } from '../errors.js'
import type { JobView, Service } from '../queue/types.js'
import type { Limits } from './limits.js'

export interface EventStreams {
  /** @throws SERVICE_BUSY when as many streams are open as may be. */
  assertRoom(): void
  /** Takes an answer over whose headers are written. */
  open(response: ServerResponse, id: string): void
  count(): number
  /** Ends all streams; clients come again elsewhere. */
  closeAll(): void
}

/** Milliseconds after which a client comes again when the stream breaks. */
const RETRY_MS = 1_000
/** Whoever took nothing for so many heartbeats is let go. */
const MAX_MISSED_BEATS = 4

type EventName = 'progress' | 'completed' | 'failed' | 'cancelled' | 'gone'

const eventOf = ({ state }: JobView): EventName =>
  state === 'waiting' || state === 'active' ? 'progress' : state

const textOf = (event: EventName, data: object): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** Writes the newest state whenever the socket takes it; ends after a final one. */
const createWriter = (response: ServerResponse) => {
  let pending: string | undefined
  let last = ''
  let ending = false
  const flush = (): void => {
    if (response.writableEnded || response.writableNeedDrain) return
    if (pending !== undefined) response.write(pending)
    pending = undefined
    if (ending) response.end()
  }
  response.on('drain', flush)
  return {
    write: (event: EventName, data: object): void => {
      const text = textOf(event, data)
      if (ending || text === last) return
      ending = event !== 'progress'
      last = text
      pending = text
      flush()
    },
    end: (): void => {
      ending = true
      flush()
    },
  }
}

/** Follows a job until its end or until the client is gone. */
const follow = (response: ServerResponse, service: Service, id: string): void => {
  const writer = createWriter(response)
  const gone = new AbortController()
  const handle = service.attach([id])
  const stop = handle.on('progress', (job) => writer.write(eventOf(job), job))
  response.once('close', () => {
    stop()
    gone.abort()
  })
  const look = async (): Promise<void> => {
    const job = await service.getJob(id)
    if (job === null) writer.write('gone', { id, code: 'JOB_LOST' })
    else writer.write(eventOf(job), job)
  }
  const watch = async (): Promise<void> => {
    await look()
    await handle.finished({ signal: gone.signal }).catch(() => {})
    if (!gone.signal.aborted) await look()
  }
  // Without an answer of the queue the stream just ends: the client comes again.
  watch()
    .catch(() => {})
    .finally(writer.end)
}

export const createEventStreams = (
  service: Service,
  { eventStreams, heartbeatMs }: Pick<Limits, 'eventStreams' | 'heartbeatMs'>,
): EventStreams => {
  const open = new Set<ServerResponse>()
  return {
    assertRoom: () => {
      if (open.size >= eventStreams)
        throw new HeadstartError('SERVICE_BUSY', `${open.size} streams are open`)
    },
    open: (response, id) => {
      open.add(response)
      response.on('error', () => {})
      response.write(`retry: ${RETRY_MS}\n\n`)
      let missed = 0
      const heartbeat = setInterval(() => {
        missed = response.writableNeedDrain ? missed + 1 : 0
        if (missed === MAX_MISSED_BEATS) response.destroy()
        else if (missed === 0 && !response.writableEnded) response.write(': still here\n\n')
      }, heartbeatMs)
      response.once('close', () => {
        clearInterval(heartbeat)
        open.delete(response)
      })
      follow(response, service, id)
    },
    count: () => open.size,
    closeAll: () => {
      for (const response of open) response.end()
    },
  }
}
