// What is served over HTTP is what the command line predicts, to the last bit, however requests mix.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { findRun } from '../../src/model/find-run.js'
import { readInputs } from '../../src/model/inputs.js'
import { openModel } from '../../src/model/open-model.js'
import { predictInputs } from '../../src/model/predict.js'
import { copyOf, type Installation, install, nameBase, runTiny } from '../catalog/support.js'
import { runJson } from '../support/cli.js'
import { DENSE_INPUT, denseRows, writeDenseBase, writeDenseDataset } from '../support/dense-base.js'
import { filesBelow, until } from '../support/folders.js'
import { tinyPng } from '../support/tiny-images.js'
import { ask, formOf, serve, type TestServer } from './support.js'

let place: Installation
let server: TestServer
let images: string[]

beforeAll(async () => {
  place = await install()
  await nameBase(place, 'tiny')
  await runTiny(place, { name: 'best' })
  server = await serve(place.workspace)
  images = (await filesBelow(join(place.folder, 'images'))).map((name) => join('images', name))
})

const send = async (
  own: TestServer,
  paths: readonly string[],
  { folder = place.folder, run = 'best', query = '' } = {},
) => {
  const files = []
  for (const path of paths) files.push([path, await readFile(join(folder, path))] as const)
  const init = { method: 'POST', body: formOf(files) }
  return ask(own, `/v1/runs/${run}/predict${query}`, init)
}

const metricOf = async (own: TestServer, name: string): Promise<number> => {
  const text = await (await own.fetch('/metrics')).text()
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
}

describe('predict over HTTP', () => {
  it('answers what `headstart predict --json` prints, file for file', async () => {
    const printed = await runJson(['predict', 'best', ...images], { cwd: place.folder })
    const { status, body } = await send(server, images)
    expect(status).toBe(200)
    // Names of files are sent without their folders.
    const bare = JSON.parse(JSON.stringify(printed).replaceAll(/images\/[a-z]+\//g, ''))
    const sent = JSON.parse(JSON.stringify(body).replaceAll(/images\/[a-z]+\//g, ''))
    expect(sent).toEqual(bare)
  })

  it('gives the bits of predictInputs to every file of requests that come together', async () => {
    const run = await findRun(place.store, 'best')
    const model = await openModel(place.store, run)
    const paths = images.map((path) => join(place.folder, path))
    const expected = new Map<string, unknown>()
    for await (const prediction of predictInputs(model, readInputs(paths, run.extractor)))
      expected.set(prediction.name, prediction.ok && prediction.labels)
    await model.close()
    const requests = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 1 + (i % 4) }, (_, j) => images[(i * 7 + j * 5) % images.length] ?? ''),
    )
    const before = await metricOf(server, 'headstart_predict_batch_samples_count')
    const answers = await Promise.all(requests.map((files) => send(server, files)))
    for (const [i, { body }] of answers.entries()) {
      const wanted = (requests[i] ?? []).map((path) => expected.get(join(place.folder, path)))
      expect(body.predictions.map(({ labels }: { labels: unknown }) => labels)).toEqual(wanted)
    }
    const batches = (await metricOf(server, 'headstart_predict_batch_samples_count')) - before
    expect(batches).toBeLessThan(requests.length)
  })

  it('gives as many labels as asked for', async () => {
    const { body } = await send(server, images.slice(0, 2), { query: '?top=1' })
    expect(body.predictions.map(({ labels }: { labels: unknown[] }) => labels.length)).toEqual([
      1, 1,
    ])
    expect((await send(server, images.slice(0, 1), { query: '?top=0' })).status).toBe(400)
  })

  it('takes rows for a model of rows', async () => {
    const own = await install()
    await writeDenseBase(join(own.folder, 'dense'))
    await writeDenseDataset(own.folder, 40)
    await runTiny(own, {
      name: 'signs',
      base: { from: './dense', cut: 'features' },
      dataset: { from: './rows.npy', labels: './labels.csv' },
    })
    const printed = await runJson<{ predictions: { labels: unknown }[] }>(
      ['predict', 'signs', 'rows.npy'],
      { cwd: own.folder },
    )
    const rows = denseRows(40)
    const files = Array.from({ length: 32 }, (_, row) => {
      const values = rows.slice(row * DENSE_INPUT, (row + 1) * DENSE_INPUT)
      return [`row-${row}`, new Uint8Array(values.buffer)] as const
    })
    const denseServer = await serve(own.workspace)
    const path = '/v1/runs/signs/predict'
    const { body } = await ask(denseServer, path, { method: 'POST', body: formOf(files) })
    const labels = body.predictions.map((prediction: { labels: unknown }) => prediction.labels)
    expect(labels).toEqual(printed.predictions.slice(0, 32).map((prediction) => prediction.labels))
    const short = [['short', new Uint8Array(4)]] as const
    const wrong = await ask(denseServer, path, { method: 'POST', body: formOf(short) })
    expect([wrong.status, wrong.body.code]).toEqual([422, 'SAMPLE_INVALID'])
  })
})

describe('the models that are kept open', () => {
  it('are opened once for requests that come together, and again after a removal', async () => {
    const copy = await copyOf(place)
    const own = await serve(copy.workspace)
    const options = { folder: copy.folder }
    const [image = ''] = images
    await Promise.all(Array.from({ length: 20 }, () => send(own, [image], options)))
    expect(await metricOf(own, 'headstart_open_models')).toBe(1)
    expect((await ask(own, '/v1/runs/best', { method: 'DELETE' })).status).toBe(200)
    expect(await metricOf(own, 'headstart_open_models')).toBe(0)
    expect((await send(own, [image], options)).status).toBe(404)
    await runTiny(copy, { name: 'best' })
    expect((await send(own, [image], options)).status).toBe(200)
  })

  it('follow a name that is given to another run', async () => {
    const copy = await copyOf(place)
    const own = await serve(copy.workspace)
    const ask1 = () => send(own, images.slice(0, 1), { folder: copy.folder })
    const first = (await ask1()).body.run
    await runTiny(copy, { name: 'best', heads: [{ kind: 'mlp', width: 4, epochs: 1 }] })
    await until(async () => (await ask1()).body.run !== first)
  })

  it('are no more than allowed, the least used closed first, and close when nobody asks', async () => {
    const copy = await copyOf(place)
    const heads = [1, 2, 3].map((epochs) => ({ kind: 'linear', epochs, learningRate: 0.01 }))
    const { runs } = await runTiny(copy, { heads })
    const own = await serve(copy.workspace, { limits: { openModels: 2, modelIdleMs: 400 } })
    for (const { id } of [...runs, ...runs]) {
      const answer = await send(own, images.slice(0, 1), { folder: copy.folder, run: id })
      expect(answer.status).toBe(200)
      expect(await metricOf(own, 'headstart_open_models')).toBeLessThanOrEqual(2)
    }
    await until(async () => (await metricOf(own, 'headstart_open_models')) === 0)
  })

  it('that are all in use make others wait', async () => {
    const copy = await copyOf(place)
    const heads = [1, 2].map((epochs) => ({ kind: 'linear', epochs, learningRate: 0.01 }))
    const { runs } = await runTiny(copy, { heads })
    const own = await serve(copy.workspace, { limits: { openModels: 1 } })
    const many = Array.from({ length: 20 }, (_, i) =>
      send(own, images.slice(0, 4), { folder: copy.folder, run: runs[i % 2]?.id ?? '' }),
    )
    const statuses = (await Promise.all(many)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
  })

  it('that do not open fail their requests, and are tried again', async () => {
    const copy = await copyOf(place)
    const run = await findRun(copy.store, 'best')
    const { key } = run.artifacts.weights
    const weights = await copy.store.get(key)
    await copy.store.delete(key)
    const own = await serve(copy.workspace)
    const [image = ''] = images
    const failed = await send(own, [image], { folder: copy.folder })
    expect([failed.status, failed.body.code]).toEqual([500, 'STORE_CORRUPT'])
    await copy.store.putIfAbsent(key, weights ?? Buffer.alloc(0))
    expect((await send(own, [image], { folder: copy.folder })).status).toBe(200)
  })
})

it('closing answers what is under way and refuses the rest', async () => {
  const own = await serve((await copyOf(place)).workspace)
  const form = () => formOf([['a.png', tinyPng(0, 1)]])
  const underWay = Array.from({ length: 10 }, () =>
    own.fetch('/v1/runs/best/predict', { method: 'POST', body: form() }).then(
      (response) => response.status,
      () => 'refused',
    ),
  )
  await until(async () => true)
  await own.close()
  for (const status of await Promise.all(underWay)) expect([200, 503, 'refused']).toContain(status)
  await expect(own.fetch('/health/live')).rejects.toThrow()
})
