// Training on features in a real S3 server: they are downloaded once, in memory or streamed.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { joinTrainingData } from '../../src/experiment/training-data.js'
import { openWorkspace } from '../../src/experiment/workspace.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import { openFeatures } from '../../src/features/open-features.js'
import { trainHead } from '../../src/head/train.js'
import { sha256 } from '../../src/identity/hash.js'
import { failureOf } from '../dataset/support.js'
import { specOf } from '../head/synthetic.js'
import { storeSets, streamingBudgetOf } from '../support/feature-sets.js'
import { makeFolder } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { sampleKeys } from '../support/shards.js'

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
})
afterAll(() => moto.stop())

const WIDTH = 256
const keys = sampleKeys(60)
const dataset = {
  datasetId: sha256('dataset'),
  contentId: sha256('content'),
  content: { kind: 'tensor' as const, dtype: 'float32' as const, shape: [3] },
  target: { kind: 'single' as const, classes: ['low', 'high'] },
  samples: keys.map((key, row) => ({
    key,
    names: [`row-${row}`],
    label: [Number.parseInt(key[0] ?? '', 16) > 7 ? 1 : 0],
    split: row % 5 === 4 ? ('validation' as const) : ('train' as const),
  })),
  notes: [],
}

it('the second training downloads nothing, streams, and ends with the same weights', async () => {
  const bucket = await moto.createBucket()
  const directory = await makeFolder()
  const open = () =>
    openWorkspace({
      directory,
      cacheBytes: 1e9,
      url: `s3://${bucket}/team`,
      s3Endpoint: moto.endpoint,
    })
  const spec = specOf({ kind: 'linear', epochs: 3, batchSize: 8 })
  const train = async (sets: readonly FeatureSet[], budgetBytes: number) => {
    const workspace = await open()
    try {
      const { store, objectCacheDir: cacheDir } = workspace
      const features = await openFeatures(store, sets, { cacheDir, budgetBytes })
      try {
        const data = joinTrainingData(dataset, features, [WIDTH])
        const { artifacts, metrics } = await trainHead({ data, spec, seed: 1 })
        return { streamed: features.source.resident === null, artifacts, metrics }
      } finally {
        await features.close()
      }
    } finally {
      await workspace.close()
    }
  }
  const workspace = await open()
  const ends = [11, 20, 35, 47, 60]
  const none = new Set<string>()
  const sets = await storeSets(workspace.store, { keys, width: WIDTH, ends, quarantined: [none] })
  await workspace.close()
  const first = await train(sets, Number.POSITIVE_INFINITY)

  // With nothing left in the bucket, nothing can be downloaded.
  const { Contents = [] } = await moto.client.send(new ListObjectsV2Command({ Bucket: bucket }))
  expect(Contents).toHaveLength(5)
  for (const { Key } of Contents)
    await moto.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
  const second = await train(sets, streamingBudgetOf(sets))
  expect(second).toEqual({ ...first, streamed: true })
  expect(first.streamed).toBe(false)

  await rm(join(directory, '.headstart/cache/objects', sets[0]?.shards[2]?.sha256 ?? ''))
  const failure = await failureOf(train(sets, streamingBudgetOf(sets)))
  expect(failure).toMatchObject({
    code: 'FEATURES_CORRUPT',
    details: [sets[0]?.shards[2]?.key],
  })
})
