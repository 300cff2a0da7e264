// Whole jobs through the command line on the engine tensorflow, with the real library.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runFailing, runJson } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'
import { SAVED_MODEL, tensorflowEnvironment, tensorflowProblem } from '../support/tensorflow.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'
import { readEverything } from './state.js'

interface Result {
  readonly featureSet: { readonly samples: number; computed: number; reused: number }
  readonly runs: readonly { readonly id: string; readonly trained: boolean }[]
  readonly parity: { readonly samples: number; bitwise: boolean; maxAbsDiff: number }
}

const experiment = (base: object) => ({
  base,
  dataset: { from: 'images' },
  split: { train: 0.6, validation: 0.2, test: 0.2 },
  heads: [{ kind: 'linear', epochs: 3 }],
  engine: 'tensorflow',
  seed: 1,
})

const TINY = { from: 'base', cut: 'pool' }
const SAVED = { from: SAVED_MODEL, cut: 'pooled' }
/** Not a multiple of the fixed batch. */
const PER_CLASS = 7
const SAMPLES = PER_CLASS * 3

/** A working directory with `base`, `images` and the experiment. */
const prepare = async (base: object): Promise<string> => {
  const cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), PER_CLASS)
  await writeFile(join(cwd, 'experiment.json'), JSON.stringify(experiment(base)))
  return cwd
}

const RUN = ['run', 'experiment.json']

if (tensorflowProblem !== null)
  describe('an experiment on tensorflow', () => {
    it(`cannot be run here: ${tensorflowProblem}`, async () => {
      const failure = await runFailing(RUN, { cwd: await prepare(TINY) })
      expect(failure).toMatchObject({ code: 'ENGINE_UNAVAILABLE', exitCode: 1 })
    })
  })
else {
  describe('an experiment on tensorflow', () => {
    let cwd: string
    let first: Result
    beforeAll(async () => {
      cwd = await prepare(TINY)
      first = await runJson<Result>(RUN, { cwd, env: tensorflowEnvironment() })
    })

    it('is extracted, trained and proven bit by bit', () => {
      expect(first.featureSet).toMatchObject({ samples: SAMPLES, computed: SAMPLES, reused: 0 })
      expect(first.runs).toMatchObject([{ trained: true }])
      expect(first.parity).toEqual({ samples: SAMPLES, bitwise: true, maxAbsDiff: 0 })
    })

    it('costs nothing a second time', async () => {
      const again = await runJson<Result>(RUN, { cwd, env: tensorflowEnvironment() })
      expect(again.featureSet).toMatchObject({ computed: 0, reused: SAMPLES })
      expect(again.runs).toMatchObject([{ id: first.runs[0]?.id, trained: false }])
    })

    it('predicts and verifies with the library of another process', async () => {
      const id = first.runs[0]?.id ?? ''
      const options = { cwd, env: tensorflowEnvironment() }
      const verified = await runJson<Result['parity']>(['verify', id], options)
      expect(verified).toMatchObject({ samples: SAMPLES, bitwise: true })
      const images = ['images/red/0.png', 'images/blue/0.png']
      const { predictions } = await runJson<{ predictions: { labels: unknown[] }[] }>(
        ['predict', id, ...images],
        options,
      )
      expect(predictions.map(({ labels }) => labels.length)).toEqual([3, 3])
    })
  })

  describe('the command line refuses', () => {
    it.each([
      ['a GPU that is not there', { HEADSTART_DEVICE: 'cuda:0' }, 'TensorFlow sees no GPU'],
      ['a folder without a build', { HEADSTART_TENSORFLOW: '/nowhere' }, '/nowhere'],
    ])('%s, and leaves nothing half-written', async (_, change, said) => {
      const cwd = await prepare(TINY)
      const env = { ...tensorflowEnvironment(), ...change }
      const failure = await runFailing(RUN, { cwd, env })
      expect(failure).toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining(said) as string,
        exitCode: 1,
      })
      await readEverything(cwd)
    })

    it('a SavedModel, unless the operator allows it', async () => {
      const cwd = await prepare(SAVED)
      const failure = await runFailing(RUN, { cwd, env: tensorflowEnvironment() })
      expect(failure).toMatchObject({
        code: 'BASE_NOT_ALLOWED',
        remedy: expect.stringContaining('HEADSTART_ALLOW_SAVED_MODELS=1') as string,
      })
      expect(await readEverything(cwd)).toBe(0)
    })
  })

  it('a SavedModel that is allowed is extracted, trained and proven', async () => {
    const cwd = await prepare(SAVED)
    const env = { ...tensorflowEnvironment(), HEADSTART_ALLOW_SAVED_MODELS: '1' }
    const result = await runJson<Result>(RUN, { cwd, env })
    expect(result.featureSet).toMatchObject({ samples: SAMPLES, computed: SAMPLES })
    expect(result.parity).toEqual({ samples: SAMPLES, bitwise: true, maxAbsDiff: 0 })
    // What was registered where it is allowed does not run where it is not.
    const verify = ['verify', result.runs[0]?.id ?? '']
    const failure = await runFailing(verify, { cwd, env: tensorflowEnvironment() })
    expect(failure.code).toBe('BASE_NOT_ALLOWED')
  })
}
