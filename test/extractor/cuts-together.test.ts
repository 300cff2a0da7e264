// One forward pass for several cuts: each has the bits that it has alone.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findEmoji, prepareBase } from '../../examples/samples/prepare.mjs'
import { loadBaseFor } from '../../src/extractor/base/load-for.js'
import { openPass, type Pass } from '../../src/extractor/extractor.js'
import { sha256 } from '../../src/identity/hash.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { engineSettingsForTests, enginesUnderTest } from '../support/engines.js'
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

const SAMPLES = 5

interface Case {
  readonly write: (folder: string) => Promise<unknown>
  readonly cuts: readonly OpenRequest[]
}

/** Cuts before a normalisation, before an addition and behind both: what optimisers fuse. */
const CASES: Readonly<Record<string, Case>> = {
  'a tiny LayersModel': {
    write: writeTinyBase,
    cuts: [
      { cut: 'conv' },
      { cut: 'bn', pooling: 'avg' },
      { cut: 'bn', pooling: 'max' },
      { cut: 'pool' },
    ],
  },
  'a tiny GraphModel': {
    write: (folder) => writeBase(graphBaseInMemory(), folder),
    cuts: [{ cut: 'relu', pooling: 'max' }, { cut: 'relu', pooling: 'avg' }, { cut: 'mean' }],
  },
  MobileNetV2: {
    write: (folder) => prepareBase('mobilenet_v2', folder),
    cuts: [
      { cut: 'Conv1', pooling: 'avg' },
      { cut: 'block_2_project_BN', pooling: 'avg' },
      { cut: 'block_2_project_BN', pooling: 'max' },
      { cut: 'block_2_add', pooling: 'avg' },
      { cut: 'flatten_1' },
    ],
  },
}

const RUNS = enginesUnderTest.flatMap((engine) =>
  Object.keys(CASES).map((name) => [engine, name] as const),
)

describe.each(RUNS)('%s, %s: cuts of one forward pass', (engine, name) => {
  const { write, cuts } = CASES[name] as Case
  let contents: Buffer[]
  let alone: string[][]
  let pass: Pass
  afterAll(() => pass?.close())

  beforeAll(async () => {
    const folder = join(await makeFolder(), 'base')
    await write(folder)
    const registered = await registerInNewStore(folder)
    const files = [...(await findEmoji(2)).values()].flat().slice(0, SAMPLES)
    contents = await Promise.all(files.map((file) => readFile(file)))
    alone = []
    const specs = []
    for (const cut of cuts) {
      const extractor = await openFor(registered, { ...cut, engine: engineNamed(engine) })
      alone.push((await featuresOf(extractor, contents)).map(bitsOf))
      specs.push(extractor.spec)
      await extractor.close()
    }
    const [first] = specs
    if (first === undefined) throw new Error('no cuts')
    const base = await loadBaseFor(registered.store, first)
    pass = openPass(specs, base, { threads: 1, settings: engineSettingsForTests })
  })

  const bitsOfRows = async (batch: readonly Buffer[]): Promise<string[][]> => {
    const rows = await pass.rows(batch.map((content) => ({ key: sha256(content), content })))
    return rows.map((row) => row.map((one) => (one.ok ? bitsOf(one.features) : one.reason)))
  }

  it('have the bits that each has alone', async () => {
    const found = await bitsOfRows(contents)
    expect(found).toEqual(contents.map((_, sample) => alone.map((rows) => rows[sample])))
  })

  it('alone in a batch, and beside content that cannot be decoded', async () => {
    const [first = Buffer.alloc(0)] = contents
    const expected = alone.map((rows) => rows[0])
    expect(await bitsOfRows([first])).toEqual([expected])
    const reasons = cuts.map(() => 'the file is empty')
    expect(await bitsOfRows([Buffer.alloc(0), first])).toEqual([reasons, expected])
  })
})
