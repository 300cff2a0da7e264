// Jobs over HTTP, on a real Redis with real workers: one job for equal requests, progress as it comes,
// and the same service for the command line.
import { join } from 'node:path'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExperimentInput, ExtractionInput } from '../../src/experiment/schema.js'
import { createHttpService } from '../../src/http/client.js'
import { findRun } from '../../src/model/find-run.js'
import { openBackend } from '../../src/queue/backend.js'
import type { QueueBackend } from '../../src/queue/port.js'
import { createService } from '../../src/queue/service.js'
import type { JobView, Service } from '../../src/queue/types.js'
import { type RunningWorker, startWorker } from '../../src/queue/workers.js'
import { type Installation, install, nameBase, nameDataset } from '../catalog/support.js'
import { failureOf } from '../dataset/support.js'
import { until } from '../support/folders.js'
import { findFreePort, type RedisServer, startRedis } from '../support/redis.js'
import { ask, jsonBody, OWNER_TOKEN, serve, type TestServer } from './support.js'

let redis: RedisServer
let place: Installation
let backend: QueueBackend
let service: Service
let server: TestServer
const workers: RunningWorker[] = []

beforeAll(async () => {
  redis = await startRedis()
  place = await install()
  await nameBase(place, 'tiny')
  await nameDataset(place, 'colours')
  backend = await openBackend(redis.url)
  service = createService(backend, place.workspace)
  server = await serve(place.workspace, { service, ownerToken: OWNER_TOKEN })
})

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.close({ force: true })))
  await server.close()
  await service.close()
  await backend.close()
  await redis.stop()
})

const work = async (): Promise<void> => {
  if (workers.length > 0) return
  const options = { backend, workspace: place.workspace }
  workers.push(await startWorker('extract', options), await startWorker('train', options))
}

const extraction = (members: Partial<ExtractionInput> = {}): ExtractionInput => ({
  base: { from: 'tiny', cut: 'pool' },
  dataset: { from: 'colours' },
  engine: 'wasm',
  ...members,
})
const training = (members: Partial<ExperimentInput> = {}): ExperimentInput => ({
  ...extraction(),
  heads: [{ kind: 'linear', epochs: 2 }],
  ...members,
})

const post = (path: string, body: unknown) => ask(server, path, jsonBody(body))

/** Events of a job until the service ends the stream. */
const eventsOf = async (id: string): Promise<{ event: string; job: JobView }[]> => {
  const response = await server.fetch(`/v1/jobs/${id}/events`)
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  if (response.body === null) throw new Error('no body')
  const events = []
  const stream = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
  for await (const { event = '', data } of stream) events.push({ event, job: JSON.parse(data) })
  return events
}

describe('before anybody works', () => {
  it('a thousand equal requests at once are one job', async () => {
    const body = extraction({ preprocess: { size: [8, 8] } })
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => post('/v1/extractions', body)),
    )
    const seen = new Set(answers.map((answer) => `${answer.status} ${answer.body.jobs}`))
    expect(seen.size).toBe(1)
    const [{ headers, body: accepted } = { headers: new Headers(), body: {} }] = answers
    expect([...seen][0]).toBe(`202 extraction-${accepted.featureSets[0]}`)
    expect(headers.get('location')).toBe(`/v1/jobs/${accepted.jobs[0]}`)
    const { items } = (await ask(server, '/v1/jobs')).body
    expect(items.map(({ id }: JobView) => id)).toEqual(accepted.jobs)
    const again = await post('/v1/extractions', body)
    expect(again.body).toEqual(accepted)
    expect((await ask(server, '/v1/jobs')).body.items).toHaveLength(1)
  })

  it('a thousand equal trainings at once are one, with one extraction', async () => {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () => post('/v1/trainings', training({ name: 'many' }))),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    const { jobs, extractions, runs } = answers[0]?.body ?? {}
    expect([jobs.length, extractions.length, runs.length]).toEqual([1, 1, 1])
    const trainings = (await ask(server, '/v1/jobs?kind=training')).body.items
    expect(trainings.map(({ id }: JobView) => id)).toEqual(jobs)
  })

  it('jobs can be looked at, cancelled and forgotten', async () => {
    const { body } = await post(
      '/v1/extractions',
      extraction({ base: { from: 'tiny', cut: 'bn' } }),
    )
    const [id] = body.jobs
    const shown = await ask(server, `/v1/jobs/${id}`)
    expect(shown.body).toMatchObject({ id, kind: 'extraction', state: 'waiting' })
    const early = await ask(server, `/v1/jobs/${id}`, { method: 'DELETE' })
    expect([early.status, early.body.code]).toEqual([409, 'IN_USE'])
    const events = eventsOf(id)
    const cancelled = await ask(server, `/v1/jobs/${id}/cancel`, { method: 'POST' })
    expect([cancelled.status, cancelled.body.state]).toEqual([200, 'cancelled'])
    expect((await events).at(-1)).toMatchObject({ event: 'cancelled', job: { id } })
    const state = async () => (await ask(server, '/v1/jobs?state=cancelled')).body.items.length
    expect(await state()).toBe(1)
    const removed = await server.fetch(`/v1/jobs/${id}`, { method: 'DELETE' })
    expect([removed.status, await removed.text()]).toEqual([204, ''])
    expect((await ask(server, `/v1/jobs/${id}`)).status).toBe(404)
    expect((await ask(server, `/v1/jobs/${id}/events`)).status).toBe(404)
  })

  it('ids that are none are not found, whatever is in them', async () => {
    for (const id of ['x', 'extraction-', `extraction-${'g'.repeat(64)}`, '*', '%00', 'a%3Ab', '1'])
      for (const path of [`/v1/jobs/${id}`, `/v1/jobs/${id}/events`])
        expect((await ask(server, path)).status, path).toBe(404)
    const cancel = await ask(server, '/v1/jobs/x/cancel', { method: 'POST' })
    expect([cancel.status, cancel.body.code]).toEqual([404, 'NOT_FOUND'])
  })

  it('requests that cannot become jobs say why', async () => {
    const wrong = await post('/v1/trainings', training({ base: { from: 'tiny', cut: 'pol' } }))
    expect([wrong.status, wrong.body.code]).toEqual([422, 'CUT_NOT_FOUND'])
    const local = await post('/v1/extractions', extraction({ dataset: { from: '/etc' } }))
    expect([local.status, local.body.code]).toEqual([403, 'SOURCE_NOT_ALLOWED'])
    const unknown = await post('/v1/extractions', { ...extraction(), seed: 1 })
    expect([unknown.status, unknown.body.code]).toEqual([400, 'REQUEST_INVALID'])
  })

  it('queues and metrics count what waits', async () => {
    const { items } = (await ask(server, '/v1/queues')).body
    expect(items.find(({ kind }: { kind: string }) => kind === 'training').waiting).toBe(1)
    const text = await (await server.fetch('/metrics')).text()
    expect(text).toContain('headstart_jobs{kind="training",engine="",state="waiting"} 1')
    expect(text).toContain('headstart_queue_up 1')
    expect((await ask(server, '/health/ready')).status).toBe(200)
  })
})

describe('streams of events', () => {
  const openStreams = async () => {
    const text = await (await server.fetch('/metrics')).text()
    return Number(/^headstart_event_streams (\d+)$/m.exec(text)?.[1])
  }
  const waitingJob = async (): Promise<string> =>
    (await ask(server, '/v1/jobs?kind=training')).body.items[0].id

  /** Reads a stream to its end. */
  const follow = ({ body }: Response) => {
    if (body === null) throw new Error('no body')
    let text = ''
    const read = async (): Promise<void> => {
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) text += chunk
    }
    return {
      ended: read(),
      /** What came so far. */
      text: () => text,
      beats: () => text.match(/^: still here$/gm)?.length ?? 0,
    }
  }

  it('leave nothing behind when their reader goes away', async () => {
    const id = await waitingJob()
    const gone = new AbortController()
    const { signal } = gone
    const open = Array.from({ length: 20 }, () => server.fetch(`/v1/jobs/${id}/events`, { signal }))
    for (const response of await Promise.all(open)) expect(response.status).toBe(200)
    expect(await openStreams()).toBe(20)
    gone.abort()
    await until(async () => (await openStreams()) === 0)
  })

  it('are bounded, beat while nothing happens, and end when the service closes', async () => {
    const own = await serve(place.workspace, {
      service,
      limits: { eventStreams: 2, heartbeatMs: 50 },
    })
    const path = `/v1/jobs/${await waitingJob()}/events`
    const [first, second] = [await own.fetch(path), await own.fetch(path)]
    const third = await ask(own, path)
    expect([third.status, third.body.code]).toEqual([503, 'SERVICE_BUSY'])
    expect(third.headers.get('retry-after')).toBe('1')
    const streams = [follow(first), follow(second)]
    await until(async () => streams.every(({ beats }) => beats() > 1))
    await own.close()
    for (const { ended, text } of streams) {
      await ended
      expect(text()).toMatch(/^retry: 1000\n\n/)
      expect(text().match(/^event: progress$/gm)).toHaveLength(1)
    }
  })
})

describe('with workers', () => {
  beforeAll(work)

  it('a training publishes its run, and its events tell how it went', async () => {
    const { body } = await post('/v1/trainings', training({ name: 'followed', seed: 5 }))
    const [id] = body.jobs
    const events = await eventsOf(id)
    const names = events.map(({ event }) => event)
    expect(names.slice(0, -1).every((name) => name === 'progress')).toBe(true)
    const last = events.at(-1)
    expect(last?.event).toBe('completed')
    expect(last?.job.result).toMatchObject({
      kind: 'training',
      runs: [{ id: body.runs[0] }],
      best: body.runs[0],
    })
    const run = await findRun(place.store, 'followed')
    expect([run.runId, run.base.from]).toEqual([body.runs[0], 'tiny'])
    const after = await eventsOf(id)
    expect(after.map(({ event }) => event)).toEqual(['completed'])
    expect((await ask(server, `/v1/feature-sets/${body.featureSets[0]}`)).status).toBe(200)
  })

  it('the client is the same service from afar', async () => {
    const client = createHttpService({ url: server.url, token: OWNER_TOKEN })
    const seen: JobView[] = []
    const handle = await client.enqueueTraining(
      training({ base: { from: './base', cut: 'pool' }, dataset: { from: 'images' }, seed: 6 }),
      { folder: place.folder },
    )
    const stop = handle.on('progress', (job) => seen.push(job))
    const [result] = await handle.finished()
    stop()
    expect(result?.runs.map(({ id }) => id)).toEqual(handle.runIds)
    expect(seen.at(-1)?.state).toBe('completed')
    expect(handle.extraction.featureSetIds).toHaveLength(1)
    expect((await handle.extraction.finished())[0]?.featureSetId).toBe(
      handle.extraction.featureSetIds[0],
    )
    const [runId = ''] = handle.runIds
    expect(await client.getRun(runId)).toEqual(await service.getRun(runId))
    expect(await client.listRuns()).toEqual(JSON.parse(JSON.stringify(await service.listRuns())))
    const [id = ''] = handle.ids
    expect(await client.getJob(id)).toEqual(await service.getJob(id))
    expect(await client.listJobs({ kind: 'training' })).toEqual(
      await service.listJobs({ kind: 'training' }),
    )
    expect(await client.counts()).toEqual(await service.counts())
    await client.ping()
    expect(await client.cancelJob(id)).toMatchObject({ id, state: 'completed' })
    await client.removeJob(id)
    expect(await client.getJob(id)).toBeNull()
    await client.close()
  })

  it('the client throws the errors of the service', async () => {
    const client = createHttpService({ url: server.url, token: OWNER_TOKEN })
    const options = { folder: place.folder }
    const none = await failureOf(client.getRun('none'))
    expect([none.code, none.details.length > 0]).toEqual(['NOT_FOUND', true])
    const missing = extraction({ dataset: { from: './not-there' } })
    const failure = await failureOf(client.enqueueExtraction(missing, options))
    expect([failure.code, failure.message]).toEqual([
      'INPUT_MISSING',
      expect.stringContaining(join(place.folder, 'not-there')),
    ])
    expect((await failureOf(client.attach([`training-${'0'.repeat(64)}`]).finished())).code).toBe(
      'JOB_LOST',
    )
    const stranger = createHttpService({ url: server.url, token: 'wrong' })
    expect((await failureOf(stranger.listRuns())).code).toBe('UNAUTHORIZED')
    expect((await failureOf(stranger.attach(['x']).finished())).code).toBe('UNAUTHORIZED')
    const nobody = createHttpService({ url: 'http://127.0.0.1:1' })
    expect((await failureOf(nobody.listRuns())).code).toBe('SERVICE_UNAVAILABLE')
    expect((await failureOf(nobody.ping())).code).toBe('QUEUE_UNAVAILABLE')
    const late = AbortSignal.abort()
    const aborted = client.enqueueExtraction(extraction(), { ...options, signal: late })
    expect((await failureOf(aborted)).code).toBe('INTERRUPTED')
    for (const each of [client, stranger, nobody]) await each.close()
  })

  it('the client waits through a restart of the service', async () => {
    const limits = { eventStreams: 0 }
    const port = await findFreePort()
    const first = await serve(place.workspace, { service, port })
    const client = createHttpService({ url: first.url })
    const waiting = `extraction-${'1'.repeat(64)}`
    expect(await client.getJob(waiting)).toBeNull()
    const handle = await client.enqueueExtraction(
      extraction({ base: { from: 'tiny', cut: 'conv' }, views: 4, augment: { seed: 9 } }),
      { folder: place.folder },
    )
    const finished = handle.finished()
    await first.close()
    // Now without streams: the client asks instead.
    await serve(place.workspace, { service, port, limits })
    expect((await finished).map(({ featureSetId }) => featureSetId)).toEqual(handle.featureSetIds)
    await client.close()
  })

  it('waiting for a job can be given up; the job goes on', async () => {
    const client = createHttpService({ url: server.url })
    const stop = new AbortController()
    const handle = await client.enqueueExtraction(
      extraction({ base: { from: 'tiny', cut: 'conv' }, views: 2, augment: { seed: 10 } }),
      { folder: place.folder },
    )
    const finished = handle.finished({ signal: stop.signal })
    stop.abort()
    expect((await failureOf(finished)).code).toBe('INTERRUPTED')
    const [id = ''] = handle.ids
    await until(async () => (await service.getJob(id))?.state === 'completed')
    await client.close()
  })
})
