// The catalogue over HTTP: what the command line lists, shows and removes, and the document of all routes.
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { listRuns } from '../../src/catalog/list.js'
import { showBase, showDataset, showRun } from '../../src/catalog/show.js'
import {
  copyOf,
  type Installation,
  install,
  nameBase,
  nameDataset,
  runTiny,
} from '../catalog/support.js'
import { ask, jsonBody, OWNER_TOKEN, serve, type TestServer } from './support.js'

let place: Installation
let server: TestServer
let runId: string

beforeAll(async () => {
  place = await install()
  await nameBase(place, 'tiny')
  await nameDataset(place, 'colours')
  const { runs } = await runTiny(place, { name: 'best' })
  runId = runs[0]?.id ?? ''
  server = await serve(place.workspace, { ownerToken: OWNER_TOKEN })
})

/** As it is after a way through JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const owner = { authorization: `Bearer ${OWNER_TOKEN}` }
const asOwner = (body: unknown): RequestInit => ({
  ...jsonBody(body),
  headers: { 'content-type': 'application/json', ...owner },
})

describe('the catalogue', () => {
  it('lists and shows what the store holds', async () => {
    const { store } = place
    expect((await ask(server, '/v1/runs')).body).toEqual(plain(await listRuns(store)))
    expect((await ask(server, '/v1/runs/best')).body).toEqual(plain(await showRun(store, 'best')))
    expect((await ask(server, `/v1/runs/${runId.slice(0, 8)}`)).body.run.runId).toBe(runId)
    expect((await ask(server, '/v1/bases/tiny')).body).toEqual(plain(await showBase(store, 'tiny')))
    const shown = plain(await showDataset(store, 'colours'))
    expect((await ask(server, '/v1/datasets/colours')).body).toEqual(shown)
    const layers = (await ask(server, '/v1/bases/tiny/layers')).body
    expect(layers.cuts.map(({ path }: { path: string }) => path)).toContain('pool')
    const [set] = (await ask(server, '/v1/feature-sets')).body.items
    expect((await ask(server, `/v1/feature-sets/${set.id}`)).body).toMatchObject({
      featureSet: { rows: 24 },
      runs: [runId],
    })
    for (const kind of ['bases', 'datasets', 'feature-sets', 'runs']) {
      const { status, body } = await ask(server, `/v1/${kind}`)
      expect([status, body.items.length, body.damaged], kind).toEqual([200, 1, []])
    }
  })

  it('filters and sorts runs as the command line does', async () => {
    const count = async (query: string): Promise<number> =>
      (await ask(server, `/v1/runs?${query}`)).body.items.length
    expect(await count('where=kind%3Dlinear&sort=accuracy&reverse=true&limit=5')).toBe(1)
    expect(await count('where=kind%3Dlinear&where=epochs%3E100')).toBe(0)
    expect(await count('dataset=colours')).toBe(1)
    for (const query of ['sort=speed', 'where=kind', 'limit=0', 'order=up', 'reverse=maybe']) {
      const { status, body } = await ask(server, `/v1/runs?${query}`)
      expect([status, body.code], query).toEqual([400, 'REQUEST_INVALID'])
    }
    expect((await ask(server, '/v1/runs?sort=speed')).body.detail).toContain('accuracy')
  })

  it('compares runs, and refuses one run twice', async () => {
    const { status, body } = await ask(server, `/v1/runs/best/comparison?with=${runId}`)
    expect([status, body.code]).toEqual([400, 'REQUEST_INVALID'])
    expect((await ask(server, '/v1/runs/best/comparison')).status).toBe(400)
    expect((await ask(server, '/v1/runs/best/comparison?with=worst')).status).toBe(404)
  })

  it('says what exists when a name is wrong', async () => {
    const { status, type, body } = await ask(server, '/v1/runs/bets')
    expect(status).toBe(404)
    expect(type).toContain('application/problem+json')
    expect(body).toMatchObject({
      type: 'urn:headstart:error:NOT_FOUND',
      title: expect.any(String),
      status: 404,
      code: 'NOT_FOUND',
      instance: expect.stringMatching(/^urn:uuid:/),
      details: expect.arrayContaining(['name: best']),
      remedy: expect.any(String),
    })
  })

  it('refuses to remove what something needs, and removes the rest', async () => {
    const copy = await copyOf(place)
    const own = await serve(copy.workspace)
    for (const path of ['/v1/bases/tiny', '/v1/datasets/colours']) {
      const { status, body } = await ask(own, path, { method: 'DELETE' })
      expect([status, body.code, body.details.length], path).toEqual([
        409,
        'IN_USE',
        expect.any(Number),
      ])
    }
    const removed = await ask(own, '/v1/runs/best', { method: 'DELETE' })
    expect(removed.body).toMatchObject({ kind: 'run', id: runId, names: ['best'] })
    expect((await ask(own, `/v1/runs/${runId}`)).status).toBe(404)
    const forced = await ask(own, '/v1/bases/tiny?force=true', { method: 'DELETE' })
    expect([forced.status, forced.body.names]).toEqual([200, ['tiny']])
  })

  it('registers bases and datasets of the owner, who names local files', async () => {
    const copy = await copyOf(place)
    const own = await serve(copy.workspace, { ownerToken: OWNER_TOKEN })
    const base = await own.fetch(
      '/v1/bases',
      asOwner({ from: `${copy.folder}/base`, name: 'again' }),
    )
    expect([base.status, base.headers.get('location')]).toEqual([
      201,
      expect.stringMatching(/^\/v1\/bases\/[0-9a-f]{64}$/),
    ])
    const body = { from: `${copy.folder}/images`, name: 'more' }
    const dataset = await ask(own, '/v1/datasets', asOwner(body))
    expect([dataset.status, dataset.body.dataset.samples]).toEqual([201, 24])
    const taken = await ask(
      own,
      '/v1/bases',
      asOwner({ from: `${copy.folder}/base`, name: '../x' }),
    )
    expect([taken.status, taken.body.code]).toEqual([400, 'STORE_KEY_INVALID'])
  })
})

describe('the OpenAPI document', () => {
  type Operation = {
    parameters?: { name: string; in: string; required?: boolean }[]
    responses: Record<string, { content?: Record<string, { schema: object }> }>
    requestBody?: object
    summary?: string
    tags?: string[]
  }
  let document: {
    openapi: string
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, object> }
  }
  beforeAll(async () => {
    document = (await ask(server, '/openapi.json')).body
  })

  it('has every route, with what it takes and answers', () => {
    expect(document.openapi).toBe('3.1.0')
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    )
    const routes = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`)
    expect(routes.sort()).toEqual(
      [
        'GET /health/live',
        'GET /health/ready',
        'GET /metrics',
        'GET /v1/bases',
        'POST /v1/bases',
        'GET /v1/bases/{reference}',
        'DELETE /v1/bases/{reference}',
        'GET /v1/bases/{reference}/layers',
        'GET /v1/datasets',
        'POST /v1/datasets',
        'GET /v1/datasets/{reference}',
        'DELETE /v1/datasets/{reference}',
        'POST /v1/extractions',
        'POST /v1/trainings',
        'GET /v1/feature-sets',
        'GET /v1/feature-sets/{reference}',
        'DELETE /v1/feature-sets/{reference}',
        'GET /v1/runs',
        'GET /v1/runs/{reference}',
        'DELETE /v1/runs/{reference}',
        'POST /v1/runs/{reference}/predict',
        'GET /v1/runs/{reference}/artifacts',
        'GET /v1/runs/{reference}/comparison',
        'GET /v1/sweeps/{reference}',
        'GET /v1/artifacts/{key}',
        'GET /v1/jobs',
        'GET /v1/jobs/{id}',
        'DELETE /v1/jobs/{id}',
        'POST /v1/jobs/{id}/cancel',
        'GET /v1/jobs/{id}/events',
        'GET /v1/queues',
      ].sort(),
    )
    for (const { path, method, operation } of operations) {
      const where = `${method} ${path}`
      expect(operation.summary, where).toBeTruthy()
      expect(operation.tags, where).toHaveLength(1)
      const names = [...path.matchAll(/\{(.+?)\}/g)].map(([, name]) => name)
      const described = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? []
      expect(
        described.map(({ name, required }) => [name, required]),
        where,
      ).toEqual(names.map((name) => [name, true]))
      if (path !== '/health/live') expect(operation.responses.default, where).toBeDefined()
      const takesBody = method === 'post' && !path.endsWith('/cancel')
      expect(operation.requestBody !== undefined, where).toBe(takesBody)
    }
  })

  it('refers to nothing that is missing and keeps nothing that is unused', () => {
    const text = JSON.stringify(document)
    const references = new Set([...text.matchAll(/"\$ref":"(.+?)"/g)].map(([, to]) => to))
    const defined = Object.keys(document.components.schemas)
    expect([...references].sort()).toEqual(
      defined.map((name) => `#/components/schemas/${name}`).sort(),
    )
  })

  it('describes the answers that are given', async () => {
    const schemaOf = (path: string, status: string, type: string) => {
      const schema = document.paths[path]?.get?.responses[status]?.content?.[type]?.schema
      if (schema === undefined) throw new Error(`${path} has no ${status} ${type}`)
      const definitions = JSON.parse(
        JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', '#/$defs/'),
      )
      const local = JSON.parse(
        JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'),
      )
      return z.fromJSONSchema({ ...local, $defs: definitions })
    }
    const [set] = (await ask(server, '/v1/feature-sets')).body.items
    const asked = [
      ['/v1/bases', '/v1/bases'],
      ['/v1/bases/{reference}', '/v1/bases/tiny'],
      ['/v1/bases/{reference}/layers', '/v1/bases/tiny/layers'],
      ['/v1/datasets', '/v1/datasets'],
      ['/v1/datasets/{reference}', '/v1/datasets/colours'],
      ['/v1/feature-sets', '/v1/feature-sets'],
      ['/v1/feature-sets/{reference}', `/v1/feature-sets/${set.id}`],
      ['/v1/runs', '/v1/runs'],
      ['/v1/runs/{reference}', '/v1/runs/best'],
      ['/v1/runs/{reference}/artifacts', '/v1/runs/best/artifacts'],
      ['/health/live', '/health/live'],
    ] as const
    for (const [path, url] of asked) {
      const { status, body } = await ask(server, url)
      expect(status, url).toBe(200)
      expect(schemaOf(path, '200', 'application/json').safeParse(body).error, url).toBeUndefined()
    }
    const problem = await ask(server, '/v1/runs/none')
    const problemOf = schemaOf('/v1/runs/{reference}', 'default', 'application/problem+json')
    expect(problemOf.safeParse(problem.body).error).toBeUndefined()
    expect(problemOf.safeParse({ ...problem.body, stack: 'x' }).success).toBe(false)
  })
})

describe('operations', () => {
  it('is alive without a queue, but not ready', async () => {
    expect(await ask(server, '/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } })
    const { status, body, headers } = await ask(server, '/health/ready')
    expect([status, body.code, body.details]).toEqual([
      503,
      'SERVICE_UNAVAILABLE',
      ['the queue does not answer'],
    ])
    expect(headers.get('retry-after')).toBe('1')
  })

  it('gives Prometheus its figures, by route and never by path', async () => {
    await ask(server, '/v1/runs/some-name-that-is-none')
    await ask(server, '/some/path/that/is/none')
    const response = await server.fetch('/metrics')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    expect(text).toContain(
      'headstart_http_request_seconds_count{method="GET",route="/v1/runs/:reference",status="404"}',
    )
    expect(text).toContain('route="unknown",status="404"')
    expect(text).not.toContain('some-name')
    expect(text).not.toContain('some/path')
    expect(text).toContain('headstart_queue_up 0')
    expect(text).toContain('nodejs_eventloop_lag_seconds')
  })
})
