// What is served is what was trained, on the real MobileNetV2 and real images; and what is not must
// not be published.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openRegistered } from '../../src/dataset/open-registered.js'
import { loadDataset } from '../../src/dataset/save.js'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import { verifyRun } from '../../src/experiment/verify.js'
import { decodeShard, encodeShard } from '../../src/features/arrow.js'
import { loadFeatureSet, saveFeatureSet } from '../../src/features/feature-set.js'
import { loadFeatures } from '../../src/features/load-features.js'
import { openHead } from '../../src/head/predict-head.js'
import { sha256 } from '../../src/identity/hash.js'
import { findRun } from '../../src/model/find-run.js'
import { type Model, openModel, type Prediction } from '../../src/model/open-model.js'
import { loadHead, type RunRecord } from '../../src/model/run-record.js'
import { createObjectOpener } from '../../src/store/open.js'
import type { Store } from '../../src/store/port.js'
import { failureOf } from '../dataset/support.js'
import { engineSettingsForTests as engines, enginesUnderTest } from '../support/engines.js'
import { makeFolder } from '../support/folders.js'
import { prepareRealInputs, runIn } from './experiments.js'
import { keysBelow, storeIn } from './state.js'

const PER_CLASS = 3
const SAMPLES = 9 * PER_CLASS

describe.each(enginesUnderTest)('on %s', (engine) => {
  let cwd: string
  let input: ExperimentInput
  let store: Store
  const objects = createObjectOpener({}).open
  let run: RunRecord

  beforeAll(async () => {
    cwd = await makeFolder()
    const { base, images } = await prepareRealInputs(PER_CLASS)
    input = {
      name: 'emoji',
      base: { from: base, cut: 'flatten_1' },
      dataset: { from: images },
      heads: [{ kind: 'mlp', width: 8, epochs: 3 }],
      engine,
    }
    const { parity } = await runIn(cwd, input)
    expect(parity).toEqual({ samples: SAMPLES, bitwise: true, maxAbsDiff: 0 })
    store = storeIn(cwd)
    run = await findRun(store, 'emoji')
  })

  const featuresOfRun = async () => {
    const set = await loadFeatureSet(store, run.extractors[0]?.featureSetId ?? '')
    if (set === null) throw new Error('the feature set is missing')
    return { set, features: await loadFeatures(store, set) }
  }

  const bitsOf = (values: Float32Array): string =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

  const bitsOfPrediction = (prediction: Prediction | undefined): string =>
    prediction?.ok ? bitsOf(prediction.outputs) : 'no prediction'

  describe('a published run', () => {
    it('predicts for every sample, alone and in batches, the bits that its head gives on the stored features', async () => {
      const { features } = await featuresOfRun()
      const { keys, values, width } = features
      const reader = await openRegistered(
        await loadDataset(store, run.dataset.datasetId),
        run.dataset.from,
      )
      const head = await openHead(await loadHead(store, run))
      const model: Model = await openModel(store, run, { settings: engines })
      try {
        const expected = keys.map((_, row) =>
          bitsOf(head.predict(values.subarray(row * width, (row + 1) * width), 1).slice()),
        )
        const samples = []
        for (const key of keys) samples.push({ key, content: await reader.read(key) })
        for (const size of [samples.length, 5]) {
          const served: string[] = []
          for (let start = 0; start < samples.length; start += size)
            served.push(
              ...(await model.predict(samples.slice(start, start + size))).map(bitsOfPrediction),
            )
          expect(served).toEqual(expected)
        }
        for (const [row, sample] of samples.entries())
          if (row % 4 === 0)
            expect(bitsOfPrediction((await model.predict([sample]))[0])).toBe(expected[row])
      } finally {
        head.close()
        await model.close()
        await reader.close()
      }
    })

    it('verifies bit by bit, over every sample', async () => {
      const content = run.dataset.from
      const parity = await verifyRun({ store, engines, objects, run, content, samples: SAMPLES })
      expect(parity).toMatchObject({ samples: SAMPLES, bitwise: true, maxAbsDiff: 0, tolerance: 0 })
    })
  })

  describe('features that the serving path does not compute', () => {
    /** Changes one feature value and makes every hash fit again, as a faulty extraction would. */
    const tamper = async (): Promise<void> => {
      const { set } = await featuresOfRun()
      const [entry, ...others] = set.shards
      const bytes = entry === undefined ? null : await store.get(entry.key)
      if (entry === undefined || bytes === null) throw new Error('the shard is missing')
      const shard = decodeShard(bytes)
      const values = shard.values.slice()
      values[7] = (values[7] ?? 0) + 0.25
      const forged = encodeShard({ ...shard, values })
      await store.delete(entry.key)
      await store.putIfAbsent(entry.key, forged)
      const shards = [{ ...entry, bytes: forged.length, sha256: sha256(forged) }, ...others]
      await saveFeatureSet(store, { ...set, shards })
    }

    it('fail the gate: nothing is published, and no name moves', async () => {
      await tamper()
      const before = await keysBelow(store, '')
      const heads: ExperimentInput['heads'] = [{ kind: 'linear', epochs: 2 }]
      const failure = await failureOf(runIn(cwd, { ...input, name: 'forged', heads }))
      expect(failure.code).toBe('PARITY_FAILED')
      expect(failure.message).toContain('0.25')
      expect(failure.details.join()).toContain('.png')
      expect(await keysBelow(store, '')).toEqual(before)
      expect((await findRun(store, 'emoji')).runId).toBe(run.runId)
      expect((await failureOf(findRun(store, 'forged'))).code).toBe('NOT_FOUND')
    })

    it('fail verification of the run that was published before', async () => {
      const request = { store, engines, objects, run, content: run.dataset.from, samples: SAMPLES }
      const failure = await failureOf(verifyRun(request))
      expect(failure.code).toBe('PARITY_FAILED')
    })
  })

  it('keeps the artifacts of the run where its record says, with the recorded hashes', async () => {
    for (const { key, bytes, sha256: hash } of Object.values(run.artifacts)) {
      const content = await store.get(key)
      expect(key.startsWith(join('runs', run.runId))).toBe(true)
      expect(content?.length).toBe(bytes)
      expect(sha256(content ?? '')).toBe(hash)
    }
  })
})
