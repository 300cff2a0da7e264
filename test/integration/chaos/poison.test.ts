// A sample that takes the engine process down each time it is read: its shard is given up after its
// attempts, and the error names it; all other samples are computed and kept.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/identity/hash.js'
import { signalTo, startCluster } from '../../support/cluster.js'
import { type MotoServer, startMoto } from '../../support/moto.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { deleteFile } from '../../support/s3-files.js'
import { IMAGES, type ImagesInS3, isReading, putImages } from './images-in-s3.js'
import { fileStoreUrl, lookInto, samplesIn } from './outcome.js'
import { queueOf, share } from './points.js'
import { RUN_TIMEOUT_MS } from './run.js'

const POISON = 'images/green/41.png'

let redis: RedisServer
let moto: MotoServer
let images: ImagesInS3
beforeAll(async () => {
  redis = await startRedis()
  moto = await startMoto()
  images = await putImages(moto)
})
afterAll(async () => {
  await images.proxy.close()
  await moto.stop()
  await redis.stop()
})

describe('a sample that kills the engine process', { timeout: RUN_TIMEOUT_MS }, () => {
  it('is named, costs no other sample, and its removal needs no computing', async () => {
    const { bucket, folder, extraction, files, proxy } = images
    const cluster = await startCluster({
      queue: redis.url,
      store: await fileStoreUrl(),
      s3Endpoint: moto.endpoint,
      workerS3Endpoint: proxy.endpoint,
    })
    const worker = await cluster.start('extract')
    let deaths = 0
    proxy.onRequest = (request) => {
      if (!isReading(request, POISON)) return
      for (const child of worker.children()) {
        deaths += 1
        signalTo(child, 'SIGKILL')
      }
    }
    const handle = await cluster.service.enqueueExtraction(extraction, { folder })
    const poisonKey = sha256(files[POISON] ?? Buffer.alloc(0))
    const name = `green/41.png (${poisonKey})`
    await expect(handle.finished()).rejects.toMatchObject({
      code: 'SAMPLE_INVALID',
      message: expect.stringContaining(name),
      details: [name],
    })
    expect(deaths).toBeGreaterThan(2)

    const states = await queueOf(cluster, share(0)).getJobCounts('completed', 'failed')
    expect(states.failed).toBe(1)
    expect(states.completed).toBeGreaterThan(1)
    const kept = await samplesIn(cluster.workspace.store)
    expect(kept.size).toBe(IMAGES - 1)
    expect(kept.has(poisonKey)).toBe(false)

    await deleteFile(moto, bucket, POISON)
    const without = await cluster.service.enqueueExtraction(extraction, { folder })
    expect(await without.finished()).toMatchObject([
      { samples: IMAGES - 1, computed: 0, reused: IMAGES - 1, quarantined: 0 },
    ])
    await lookInto(cluster.workspace.store, IMAGES - 1)
    await cluster.close()
  })
})
