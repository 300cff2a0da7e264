// From a file of torch to rows of features: registered, resolved, extracted by engine threads.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBase } from '../../src/extractor/base/load.js'
import { type Extractor, openExtractor } from '../../src/extractor/extractor.js'
import {
  bitsOf,
  featuresOf,
  type OpenRequest,
  openFor,
  type RegisteredBase,
  registerInNewStore,
} from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import {
  expectedOf,
  FIXTURES,
  IMAGE_FILES,
  maxDifference,
  SAMPLES,
} from '../support/onnx-models.js'

const TORCH = { range: 'torch', kernel: 'nearest' } as const
const engine = { name: 'onnxruntime', fixedBatch: null, precision: 'fp32' } as const
const open = (registered: RegisteredBase, request: OpenRequest) =>
  openFor(registered, { engine, preprocess: TORCH, ...request })
const joined = (rows: readonly Float32Array[]): number[] => rows.flatMap((row) => [...row])

const PATHS = {
  inside: 'torch.onnx',
  'weights in another file': 'torch-external',
  'one sample at a time': 'torch-batch1.onnx',
} as const

describe.each(Object.entries(PATHS))('a model of torch, %s', (_, path) => {
  let registered: RegisteredBase
  let extractor: Extractor
  beforeAll(async () => {
    registered = await registerInNewStore(join(FIXTURES, path))
    extractor = await open(registered, { cut: 'features' })
  })

  it('gives the features that torch gives for the same images', async () => {
    expect(extractor.spec).toMatchObject({
      base: { format: 'onnx' },
      engine: 'onnxruntime',
      input: { size: [24, 24] },
      featureShape: [20],
    })
    const rows = await featuresOf(extractor, IMAGE_FILES)
    expect(maxDifference(joined(rows), expectedOf('torch', 'features').values)).toBeLessThan(2e-6)
    expect(extractor.info()).toMatchObject({
      engine: 'onnxruntime',
      version: expect.stringMatching(/^onnxruntime 1\.\d+\.\d+, graph \d+, sharp/) as string,
    })
  })

  it('gives each image the same bits alone and beside others', async () => {
    const together = (await featuresOf(extractor, IMAGE_FILES)).map(bitsOf)
    for (const [i, file] of IMAGE_FILES.entries())
      expect((await featuresOf(extractor, [file])).map(bitsOf)).toEqual([together[i]])
  })

  it('gives pooled maps as its own pooling does', async () => {
    const pooled = await open(registered, { cut: 'maps', pooling: 'avg' })
    const rows = await featuresOf(pooled, IMAGE_FILES)
    expect(maxDifference(joined(rows), expectedOf('torch', 'features').values)).toBeLessThan(2e-6)
  })

  it('has the bytes in the store that its id says', async () => {
    const { store, base } = registered
    expect((await loadBase(store, base.baseId)).baseId).toBe(base.baseId)
  })
})

describe('an extractor with several engine threads', () => {
  it('gives the bits of one thread', async () => {
    const registered = await registerInNewStore(join(FIXTURES, 'torch.onnx'))
    const one = await open(registered, { cut: 'features' })
    const base = await loadBase(registered.store, registered.base.baseId)
    const many = openExtractor(one.spec, base, { threads: 3 })
    const expected = (await featuresOf(one, IMAGE_FILES)).map(bitsOf)
    const batches = Array.from({ length: 24 }, (_, i) => [i % SAMPLES, (i + 2) % SAMPLES])
    const found = await Promise.all(
      batches.map((batch) =>
        featuresOf(
          many,
          batch.map((i) => IMAGE_FILES[i] as Buffer),
        ),
      ),
    )
    expect(found.map((rows) => rows.map(bitsOf))).toEqual(
      batches.map((batch) => batch.map((i) => expected[i])),
    )
    await many.close()
  })
})

const SCRIPT = `
const [dist, storeFolder, model, image] = process.argv.slice(1)
const load = (path) => import(new URL(path, dist).href)
const { createFileStore } = await load('src/store/file.js')
const { registerBase } = await load('src/extractor/base/register.js')
const { loadBase } = await load('src/extractor/base/load.js')
const { resolveExtractorSpec } = await load('src/extractor/resolve.js')
const { preprocessSchema } = await load('src/extractor/preprocess.js')
const { openExtractor } = await load('src/extractor/extractor.js')
const { readFile } = await import('node:fs/promises')
const store = createFileStore(storeFolder)
const base = await registerBase(store, model)
const spec = resolveExtractorSpec({
  base, cut: 'features', pooling: 'none', preprocess: preprocessSchema.parse({}),
  content: { kind: 'image' }, view: { kind: 'plain' },
  engine: { name: 'onnxruntime', fixedBatch: null, precision: 'fp32' },
})
const loaded = await loadBase(store, base.baseId)
const content = await readFile(image)
const sample = { key: '0'.repeat(64), content }
const rows = []
for (const threads of [1, 2, 2]) {
  const extractor = openExtractor(spec, loaded, { threads })
  rows.push(...(await Promise.all([1, 2, 3, 4].map(() => extractor.rows([sample])))).flat())
  await extractor.close()
}
process.stdout.write(String(rows.filter((row) => row.ok).length))
`

describe('a process that extracts with onnxruntime and closes', () => {
  it('ends by itself, without a word on stderr', async () => {
    const image = join(await makeFolder(), 'image.png')
    await writeFile(image, IMAGE_FILES[0] as Buffer)
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        SCRIPT,
        `${pathToFileURL(resolve('dist')).href}/`,
        await makeFolder(),
        join(FIXTURES, 'torch.onnx'),
        image,
      ],
      { timeout: 60_000 },
    )
    expect({ stdout, stderr }).toEqual({ stdout: '12', stderr: '' })
  })
})
