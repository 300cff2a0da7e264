import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { findEmoji, prepareBase } from '../../examples/samples/prepare.mjs'
import type { Extractor } from '../../src/extractor/extractor.js'
import { sha256 } from '../../src/identity/hash.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { enginesUnderTest } from '../support/engines.js'
import {
  bitsOf,
  engineNamed,
  featuresOf,
  type OpenRequest,
  openFor,
  registerInNewStore,
} from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'

const SAMPLES = 16
const ALL_SIZES = Array.from({ length: SAMPLES }, (_, i) => i + 1)
/** Of the real models, which take seconds a batch on some engines. */
const SOME_SIZES = [1, 2, 3, 7, 8, 16]

const emoji = async (): Promise<Buffer[]> => {
  const files = [...(await findEmoji(2)).values()].flat().slice(0, SAMPLES)
  return Promise.all(files.map((file) => readFile(file)))
}

interface Case {
  readonly write: (folder: string) => Promise<unknown>
  readonly request: OpenRequest
  /** Default: all of them. */
  readonly sizes?: readonly number[]
}

const real = (name: string) => (folder: string) => prepareBase(name, folder)
const graph = (folder: string) => writeBase(graphBaseInMemory(), folder)
/** The feature vector of the GraphModel: 1,280 values, its last node before the classifier. */
const SQUEEZE =
  'StatefulPartitionedCall/sequential/keras_layer/StatefulPartitionedCall/StatefulPartitionedCall/StatefulPartitionedCall/predict/feature_vector/SpatialSqueeze'
const CASES: Readonly<Record<string, Case>> = {
  'a tiny LayersModel': { write: writeTinyBase, request: { cut: 'pool' } },
  'a tiny LayersModel inside, pooled': {
    write: writeTinyBase,
    request: { cut: 'bn', pooling: 'avg' },
  },
  'a tiny LayersModel inside, not pooled': { write: writeTinyBase, request: { cut: 'conv' } },
  'a tiny GraphModel at its end': { write: graph, request: { cut: 'mean' } },
  'a tiny GraphModel inside, pooled': { write: graph, request: { cut: 'relu', pooling: 'max' } },
  MobileNetV2: {
    write: real('mobilenet_v2'),
    request: { cut: 'flatten_1' },
    sizes: SOME_SIZES,
  },
  'MobileNetV2 as a GraphModel': {
    write: real('mobilenet_v2_mid'),
    request: { cut: SQUEEZE },
    sizes: SOME_SIZES,
  },
}

const RUNS = enginesUnderTest.flatMap((engine) =>
  Object.keys(CASES).map((name) => [engine, name] as const),
)

describe.each(RUNS)('%s, %s: the features of a sample have the same bits', (engine, name) => {
  const { write, request, sizes = ALL_SIZES } = CASES[name] as Case
  let extractor: Extractor
  let contents: Buffer[]
  let alone: string[]
  const bits = async (batch: readonly Buffer[]): Promise<string[]> =>
    (await featuresOf(extractor, batch)).map(bitsOf)

  beforeAll(async () => {
    const folder = join(await makeFolder(), 'base')
    await write(folder)
    const registered = await registerInNewStore(folder)
    extractor = await openFor(registered, { ...request, engine: engineNamed(engine) })
    contents = await emoji()
    alone = []
    for (const content of contents) alone.push(...(await bits([content])))
  })

  it('and differ from those of other samples', () => {
    expect(contents).toHaveLength(SAMPLES)
    expect(new Set(alone).size).toBe(SAMPLES)
    expect(alone[0]).toHaveLength(extractor.width * 8)
  })

  it('alone and in any batch of 1 to 16, at any position', async () => {
    for (const size of sizes) {
      const order = Array.from({ length: size }, (_, i) => (i * 3 + size * 5) % SAMPLES)
      const found = await bits(order.map((i) => contents[i] as Buffer))
      expect(found).toEqual(order.map((i) => alone[i]))
    }
  })

  it('when it is repeated within one batch', async () => {
    const [first, second] = contents as [Buffer, Buffer]
    const found = await bits([first, first, second, first])
    expect(found).toEqual([alone[0], alone[0], alone[1], alone[0]])
  })

  it('beside damaged neighbours, which have a reason each', async () => {
    const [first, second] = contents as [Buffer, Buffer]
    const damaged = [Buffer.alloc(0), first.subarray(0, 300), Buffer.from('text')]
    const batch = [damaged[0], first, damaged[1], second, damaged[2]] as Buffer[]
    const rows = await extractor.rows(batch.map((content) => ({ key: sha256(content), content })))
    expect(rows.map((row) => (row.ok ? bitsOf(row.features) : row.reason))).toEqual([
      'the file is empty',
      alone[0],
      'the PNG image is damaged or incomplete',
      alone[1],
      'not a JPEG, PNG, WebP, GIF, AVIF or TIFF image',
    ])
  })

  it('in batches that are asked for at once', async () => {
    const halves = [contents.slice(0, 5), contents.slice(5, 9), contents.slice(9)]
    expect((await Promise.all(halves.map(bits))).flat()).toEqual(alone)
  })
})
