// What the engine tensorflow does to its process, so each test has one of its own: that it ends by
// itself, what it may be asked for, and that the weights of a base stay as they are.
import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { EngineSettings } from '../../src/extractor/engine-settings.js'
import { makeFolder } from '../support/folders.js'
import { tensorflowProblem, tensorflowSettings } from '../support/tensorflow.js'
import { writeTinyBase } from '../support/tiny-base.js'

/** A process that does not end by itself is killed then, and the test fails. */
const GIVE_UP_MS = 90_000

const PRELUDE = `
const [dist, settingsText, storeFolder, baseFolder] = process.argv.slice(1)
const load = (path) => import(new URL(path, dist).href)
const settings = JSON.parse(settingsText)
const { probeEngineInThread, createEnginePool } = await load('src/extractor/engines/pool.js')
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
const outcome = (promise) =>
  promise.then((value) => ({ value }), ({ code, message, details }) => ({ code, message, details }))
const loadTiny = async () => {
  const { createFileStore } = await load('src/store/file.js')
  const { registerBase } = await load('src/extractor/base/register.js')
  const { loadTfjsBase } = await load('src/extractor/base/load.js')
  const store = createFileStore(storeFolder)
  return loadTfjsBase(store, (await registerBase(store, baseFolder)).baseId)
}
`

/** Runs a script in a process of its own. @returns what it said, in order; it must end with 0. */
const inProcess = async (
  script: string,
  change: Partial<EngineSettings> = {},
): Promise<unknown[]> => {
  const given = [
    `${pathToFileURL(resolve('dist')).href}/`,
    JSON.stringify(tensorflowSettings(change)),
    await makeFolder(),
    await writeTinyBase(join(await makeFolder(), 'base')),
  ]
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', PRELUDE + script, ...given],
    { timeout: GIVE_UP_MS },
  )
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown)
}

const EXTRACT = `
const base = await loadTiny()
const input = { kind: 'tensor', dtype: 'float32', shape: [8, 8, 3] }
const request = { base, engine: 'tensorflow', settings, precision: 'fp32', cut: 'pool', pooling: 'none', fixedBatch: 16, input }
const rows = () => ({ data: Float32Array.from({ length: 3 * 192 }, (_, i) => Math.sin(i)), count: 3 })
const sums = async (pool) => (await pool.forward(rows())).values.reduce((a, b) => a + b, 0)
`

const FROZEN = `
const { createHash } = await import('node:crypto')
const { prepareTensorflowEnvironment } = await load('src/extractor/engines/tensorflow-process.js')
const { openTensorflow } = await load('src/extractor/engines/tensorflow.js')
const { loadTfjsModel } = await load('src/extractor/engines/tfjs.js')
const { cutLayersModel } = await load('src/extractor/engines/tfjs-cut.js')
prepareTensorflowEnvironment(settings)
const base = await loadTiny()
const { tf } = await openTensorflow(settings)
const { model } = await loadTfjsModel(tf, base)
const cut = cutLayersModel(tf, model, 'pool')
const hash = () => {
  const sum = createHash('sha256')
  const byName = new Map(model.weights.map((weight) => [weight.originalName, weight]))
  for (const { name } of base.weightSpecs) {
    const values = byName.get(name).read().dataSync()
    sum.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  return sum.digest('hex')
}
const before = hash()
for (let batch = 0; batch < 5; batch += 1) {
  const x = tf.core.randomUniform([16, 8, 8, 3], 0, 50, 'float32', batch)
  tf.core.dispose([x, cut.predictOnBatch(x)])
}
say({
  registered: createHash('sha256').update(new Uint8Array(base.weights)).digest('hex'),
  before,
  after: hash(),
  moving: base.weightSpecs.filter(({ name }) => name.includes('moving_')).length,
})
`

if (tensorflowProblem !== null)
  describe('a process with TensorFlow', () => {
    it(`cannot be had here: ${tensorflowProblem}`, () => {
      expect(tensorflowProblem).not.toBe('')
    })
  })
else
  describe('a process with TensorFlow', () => {
    it('ends by itself after one thread and after several, one after another and at once', async () => {
      const said = await inProcess(`${EXTRACT}
        say(await probeEngineInThread('tensorflow', settings))
        const first = createEnginePool(request)
        say(await sums(first))
        await first.close()
        const pools = [createEnginePool(request), createEnginePool(request)]
        say(await Promise.all(pools.map(sums)))
        await Promise.all(pools.map((pool) => pool.close()))`)
      const [info, alone, both] = said
      expect(info).toMatchObject({ engine: 'tensorflow' })
      expect(both).toEqual([alone, alone])
    })

    it('ends by itself when it is closed in the middle of a batch', async () => {
      const said = await inProcess(`${EXTRACT}
        const pool = createEnginePool(request)
        await sums(pool)
        const unfinished = outcome(sums(pool))
        await pool.close()
        say((await unfinished).code ?? 'finished')`)
      expect(['finished', 'ENGINE_FAILED']).toContain(said[0])
    })

    it('leaves weights and moving statistics of a base as they are', async () => {
      const [found] = (await inProcess(FROZEN)) as [Record<string, unknown>]
      expect(found.moving).toBe(2)
      expect(found.before).toBe(found.registered)
      expect(found.after).toBe(found.registered)
    })

    it.each([
      ['cuda:0', 'the device cuda:0 was asked for, and TensorFlow sees no GPU'],
      ['cuda', 'the device cuda was asked for, and TensorFlow sees no GPU'],
      ['webgpu', 'the engine tensorflow has no device webgpu'],
      ['tensorrt', 'the engine tensorflow has no device tensorrt'],
    ])('never takes the processor for the device %s', async (device, message) => {
      const probe = `say(await outcome(probeEngineInThread('tensorflow', settings)))`
      const [found] = await inProcess(probe, { device })
      expect(found).toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining(message) as string,
      })
    })

    it('computes on the processor where that was asked for', async () => {
      const probe = `say(await outcome(probeEngineInThread('tensorflow', settings)))`
      expect(await inProcess(probe, { device: 'cpu' })).toMatchObject([
        { value: { device: 'cpu' } },
      ])
    })

    it('serves one device and one build: a second, different one is refused', async () => {
      const said = await inProcess(`
        const probe = (change) => outcome(probeEngineInThread('tensorflow', { ...settings, ...change }))
        say(await probe({}))
        say(await probe({ device: 'cpu' }))
        say(await probe({ tensorflowFolder: '/elsewhere' }))
        say(await probe({}))`)
      const refused = {
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining('needs a process of its own') as string,
      }
      expect(said).toMatchObject([{ value: {} }, refused, refused, { value: {} }])
    })

    it('says where there is no build, and how to make one', async () => {
      const probe = `say(await outcome(probeEngineInThread('tensorflow', settings)))`
      const tensorflowFolder = await makeFolder()
      const [found] = await inProcess(probe, { tensorflowFolder })
      expect(found).toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: `HEADSTART_TENSORFLOW is ${tensorflowFolder}, and there is no build of tfjs-node in it`,
        details: [expect.stringContaining('build-tensorflow.mjs') as string],
      })
    })

    it('has no half precision', async () => {
      const [found] = await inProcess(`${EXTRACT}
        const pool = createEnginePool({ ...request, precision: 'fp16' })
        say(await outcome(sums(pool)))
        await pool.close()`)
      expect(found).toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: 'the engine tensorflow has no fp16',
      })
    })
  })
