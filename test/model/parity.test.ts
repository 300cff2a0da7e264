import { describe, expect, it } from 'vitest'
import type { Dataset, SampleReader } from '../../src/dataset/types.js'
import { HeadstartError } from '../../src/errors.js'
import type { Extractor, Row, SampleContent } from '../../src/extractor/extractor.js'
import { residentSource } from '../../src/features/feature-source.js'
import type { EngineInfo } from '../../src/features/shard.js'
import { sha256 } from '../../src/identity/hash.js'
import { CROSS_DEVICE_TOLERANCE, checkParity, pickRows } from '../../src/model/parity.js'
import { failureOf } from '../dataset/support.js'
import { rowSpec, sampleKeys } from '../support/shards.js'

const WIDTH = 4
const ENGINE: EngineInfo = { engine: 'wasm', version: 'one', device: 'cpu' }
const OTHER_ENGINE: EngineInfo = { ...ENGINE, device: 'gpu' }

/** Any function of the content. */
const featuresOf = (content: Uint8Array): Float32Array =>
  Float32Array.from({ length: WIDTH }, (_, i) => (content[i] ?? 0) / 3)

const contentOf = (key: string): Uint8Array => Buffer.from(key, 'hex')

interface World {
  readonly rows?: number
  readonly engine?: EngineInfo
  /** What computed the second half of the rows, in a shard of its own. */
  readonly secondEngine?: EngineInfo
  readonly answer?: (sample: SampleContent) => Row
  readonly gone?: (key: string) => boolean
}

const makeRequest = ({
  rows = 10,
  engine = ENGINE,
  secondEngine = ENGINE,
  answer,
  gone,
}: World = {}) => {
  const keys = sampleKeys(rows)
  const values = new Float32Array(rows * WIDTH)
  keys.forEach((key, row) => {
    values.set(featuresOf(contentOf(key)), row * WIDTH)
  })
  const spec = rowSpec(WIDTH)
  const shard = {
    version: 1 as const,
    shardKey: sha256('shard'),
    extractorId: sha256('extractor'),
    extractor: {},
    featureShape: [WIDTH],
    engines: [ENGINE],
    quarantine: [],
  }
  const half = Math.floor(rows / 2)
  const shards = [shard, { ...shard, engines: [secondEngine] }]
  const source = residentSource([values], WIDTH, [half, rows])
  const features = { source, keys, shards }
  const batches: number[] = []
  const extractor: Extractor = {
    id: shard.extractorId,
    spec,
    width: WIDTH,
    batchSize: 8,
    parallelBatches: 1,
    info: () => engine,
    tensorCount: () => 0,
    close: async () => undefined,
    rows: async (samples) => {
      batches.push(samples.length)
      return samples.map(
        (sample) => answer?.(sample) ?? { ok: true, features: featuresOf(sample.content) },
      )
    },
  }
  const reader: SampleReader = {
    read: async (key) => {
      if (gone?.(key)) throw new HeadstartError('DATASET_CHANGED', `${key} vanished`)
      return contentOf(key)
    },
    nameOf: (key) => `name of ${key.slice(0, 6)}`,
    close: async () => undefined,
  }
  const dataset: Dataset = {
    datasetId: sha256('dataset'),
    contentId: sha256('content'),
    content: { kind: 'tensor', dtype: 'float32', shape: [3] },
    target: { kind: 'single', classes: ['a', 'b'] },
    samples: [],
    notes: [],
  }
  return { request: { extractor, features, reader, dataset }, values, keys, batches }
}

/** Serves features that are off by a part of themselves for one sample. */
const offBy = (key: string | undefined, change: number) => (sample: SampleContent) => {
  const features = featuresOf(sample.content)
  if (sample.key === key) features[2] = (features[2] ?? 0) + change
  return { ok: true as const, features }
}

describe('the parity gate', () => {
  it('passes equal bits, in batches of several sizes', async () => {
    const { request, batches } = makeRequest({ rows: 40 })
    const parity = await checkParity({ ...request, samples: 20 })
    expect(parity).toEqual({
      samples: 20,
      bitwise: true,
      maxAbsDiff: 0,
      tolerance: 0,
      engine: ENGINE,
    })
    expect(new Set(batches).size).toBeGreaterThan(2)
    expect(batches).toContain(1)
  })

  it('fails on the last bit of one value on the same engine, and names the sample', async () => {
    const { keys } = makeRequest()
    const { request } = makeRequest({ answer: offBy(keys[4], 2 ** -17) })
    const failure = await failureOf(checkParity(request))
    expect(failure.code).toBe('PARITY_FAILED')
    expect(failure.details).toHaveLength(1)
    expect(failure.details[0]).toMatch(`name of ${keys[4]?.slice(0, 6)}: `)
  })

  it('tells 0 from -0', async () => {
    const zeros = makeRequest()
    zeros.values.fill(0)
    const request = {
      ...zeros.request,
      extractor: {
        ...zeros.request.extractor,
        rows: async (samples: readonly SampleContent[]) =>
          samples.map((): Row => ({ ok: true, features: new Float32Array(WIDTH).fill(-0) })),
      },
    }
    expect((await failureOf(checkParity(request))).code).toBe('PARITY_FAILED')
  })

  it('allows the stated tolerance on another engine or device, and records the difference', async () => {
    const { keys } = makeRequest()
    const within = makeRequest({ engine: OTHER_ENGINE, answer: offBy(keys[4], 2 ** -14) })
    const parity = await checkParity(within.request)
    expect(parity).toMatchObject({ bitwise: false, tolerance: CROSS_DEVICE_TOLERANCE })
    expect(parity.maxAbsDiff).toBeGreaterThan(0)
    const beyond = makeRequest({ engine: OTHER_ENGINE, answer: offBy(keys[4], 1) })
    expect((await failureOf(checkParity(beyond.request))).code).toBe('PARITY_FAILED')
  })

  it('keeps to equal bits for the rows of this engine beside rows of another one', async () => {
    const { keys } = makeRequest()
    const mixed = { secondEngine: OTHER_ENGINE }
    const foreign = makeRequest({ ...mixed, answer: offBy(keys[7], 2 ** -14) })
    expect(await checkParity(foreign.request)).toMatchObject({ bitwise: false, samples: 10 })
    const own = makeRequest({ ...mixed, answer: offBy(keys[2], 2 ** -14) })
    const failure = await failureOf(checkParity(own.request))
    expect(failure.code).toBe('PARITY_FAILED')
    expect(failure.details[0]).toContain('(tolerance 0)')
  })

  it('takes other samples in place of those that are gone', async () => {
    const { keys } = makeRequest({ rows: 60 })
    const [first = '', last = ''] = [keys[0], keys[59]]
    const { request } = makeRequest({ rows: 60, gone: (key) => key === first || key === last })
    expect(await checkParity({ ...request, samples: 20 })).toMatchObject({ samples: 20 })
  })

  it('refuses to call it proved when more than half of the samples are gone', async () => {
    const { keys } = makeRequest()
    const gone = new Set(keys.slice(0, 6))
    const { request } = makeRequest({ gone: (key) => gone.has(key) })
    expect((await failureOf(checkParity(request))).code).toBe('DATASET_CHANGED')
  })

  it('never lets NaN pass, on any engine', async () => {
    const { keys } = makeRequest()
    for (const engine of [ENGINE, OTHER_ENGINE]) {
      const { request } = makeRequest({ engine, answer: offBy(keys[4], Number.NaN) })
      expect((await failureOf(checkParity(request))).code).toBe('PARITY_FAILED')
    }
  })

  it('fails when a sample that has features is refused in serving', async () => {
    const { request } = makeRequest({ answer: () => ({ ok: false, reason: 'broken' }) })
    const failure = await failureOf(checkParity(request))
    expect(failure).toMatchObject({ code: 'PARITY_FAILED' })
    expect(failure.message).toContain('broken')
  })

  it('passes over samples that are gone, and counts those that it compared', async () => {
    const { keys } = makeRequest()
    const some = makeRequest({ gone: (key) => key === keys[0] || key === keys[5] })
    expect(await checkParity(some.request)).toMatchObject({ samples: 8, bitwise: true })
    const all = makeRequest({ gone: () => true })
    expect((await failureOf(checkParity(all.request))).code).toBe('DATASET_CHANGED')
  })

  it('stops when it is aborted', async () => {
    const { request } = makeRequest()
    const failure = await failureOf(checkParity({ ...request, signal: AbortSignal.abort() }))
    expect(failure.code).toBe('INTERRUPTED')
  })
})

describe('the rows that are compared', () => {
  it('are spread from the first to the last, without repeats', () => {
    for (const [rows, samples] of [
      [10, 4],
      [5, 9],
      [1000, 32],
      [2, 2],
    ] as const) {
      const picked = pickRows(rows, samples)
      expect(picked).toHaveLength(Math.min(rows, samples))
      expect(new Set(picked).size).toBe(picked.length)
      expect([picked.at(0), picked.at(-1)]).toEqual([0, rows - 1])
    }
    expect(pickRows(1, 32)).toEqual([0])
    expect(pickRows(0, 32)).toEqual([])
  })
})
