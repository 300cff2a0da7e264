// Readers that are slower than a job changes: what they get, and what they cost.
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { createEventStreams } from '../../src/http/event-streams.js'
import type { JobHandle, JobResult, JobView, Service } from '../../src/queue/types.js'
import { until } from '../support/folders.js'
import { queueAway } from './support.js'

const ID = `training-${'0'.repeat(64)}`
/** Larger than sockets buffer within a few changes. */
const TEXT = 'x'.repeat(200_000)

/** A job that changes when it is told to. */
const createJob = () => {
  let listener = (_: JobView): void => {}
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const viewOf = (state: JobView['state'], step: number): JobView => ({
    id: ID,
    kind: 'training',
    state,
    createdAt: new Date(0).toISOString(),
    startedAt: null,
    finishedAt: null,
    failedAttempts: step,
    datasetId: null,
    progress: null,
    result: null,
    error: { code: 'X', message: TEXT, details: [], remedy: '' },
  })
  let now = viewOf('active', 0)
  const handle: JobHandle<JobResult> = {
    ids: [ID],
    on: (_, given) => {
      listener = given
      return () => {
        listener = () => {}
      }
    },
    finished: async () => {
      await ended
      return []
    },
    cancel: async () => {},
  }
  const service: Service = { ...queueAway, getJob: async () => now, attach: () => handle }
  return {
    service,
    change: (step: number) => {
      now = viewOf('active', step)
      listener(now)
    },
    end: (step: number) => {
      now = viewOf('completed', step)
      end()
    },
  }
}

const closers: (() => void)[] = []
afterAll(() => {
  for (const close of closers) close()
})

/** A reader who has not begun to read, and the answer as the service holds it. */
const openStream = async (service: Service, heartbeatMs: number) => {
  const streams = createEventStreams(service, { eventStreams: 10, heartbeatMs })
  let held: ServerResponse | undefined
  const server = createServer((_, response) => {
    held = response
    response.writeHead(200)
    streams.open(response, ID)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const outgoing = request({ host: '127.0.0.1', port, agent: false }).end()
  outgoing.on('error', () => {})
  const [reader] = (await once(outgoing, 'response')) as [IncomingMessage]
  reader.on('error', () => {})
  closers.push(() => server.close().closeAllConnections())
  if (held === undefined) throw new Error('no answer')
  return { streams, response: held, reader }
}

const STEPS = 300

describe('a slow reader', () => {
  it('gets the newest state and the end, and costs no more than a few states', async () => {
    const job = createJob()
    const { response, reader } = await openStream(job.service, 60_000)
    await until(async () => response.writableNeedDrain || response.writableLength === 0)
    let most = 0
    for (let step = 1; step <= STEPS; step += 1) {
      job.change(step)
      most = Math.max(most, response.writableLength)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(response.writableNeedDrain).toBe(true)
    expect(most).toBeLessThan(3 * TEXT.length)
    job.end(STEPS + 1)
    let text = ''
    for await (const chunk of reader.setEncoding('utf8')) text += chunk
    const events = [...text.matchAll(/^event: (\w+)\ndata: (.+)$/gm)].map(([, name, data]) => ({
      name,
      step: (JSON.parse(data ?? '') as JobView).failedAttempts,
    }))
    expect(events.at(-1)).toEqual({ name: 'completed', step: STEPS + 1 })
    expect(events.length).toBeLessThan(STEPS)
    const steps = events.map(({ step }) => step)
    expect(steps).toEqual([...steps].sort((a, b) => a - b))
  })

  it('that never reads is let go after four heartbeats', async () => {
    const job = createJob()
    const { streams, response } = await openStream(job.service, 20)
    let step = 0
    await until(async () => {
      step += 1
      if (!response.writableNeedDrain) job.change(step)
      return response.destroyed
    })
    expect(step).toBeGreaterThan(1)
    await until(async () => streams.count() === 0)
  })
})
