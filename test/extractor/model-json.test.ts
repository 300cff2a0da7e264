import { beforeEach, describe, expect, it } from 'vitest'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import { MAX_PARAMETERS } from '../../src/extractor/base/limits.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import { type EditableBase, graphBaseInMemory, tinyBaseInMemory } from '../support/base-files.js'

let tiny: EditableBase
beforeEach(async () => {
  tiny = await tinyBaseInMemory()
})

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const parse = ({ model }: EditableBase) => parseModelJson(bytesOf(model))
const group = (base: EditableBase) =>
  base.model.weightsManifest[0] as EditableBase['model']['weightsManifest'][0]
const weight = (base: EditableBase, index: number) =>
  group(base).weights[index] as NonNullable<ReturnType<typeof group>['weights'][0]>

/** Runs something that must fail with this code. */
const expectCode = (code: string, run: () => unknown): void => {
  expect(run).toThrow(expect.objectContaining({ name: 'HeadstartError', code }) as Error)
}

describe('a model.json', () => {
  it('of a LayersModel and of a GraphModel is told by its format', () => {
    expect(parse(tiny).format).toBe('layers-model')
    expect(parse(graphBaseInMemory()).format).toBe('graph-model')
  })

  it('without a format is told by its topology', () => {
    const graph = graphBaseInMemory()
    for (const base of [tiny, graph]) delete base.model.format
    expect([parse(tiny).format, parse(graph).format]).toEqual(['layers-model', 'graph-model'])
  })

  it('says how many parameters the base has', () => {
    expect(parse(tiny).parameters).toBe(108 + 5 * 4)
  })

  it.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array(0)],
    ['text', Buffer.from('model')],
    ['half of it', Buffer.from('{"modelTopology": {')],
    ['null', bytesOf(null)],
    ['an array', bytesOf([])],
    ['no topology', bytesOf({ weightsManifest: [] })],
    ['no manifest', bytesOf({ modelTopology: {} })],
    ['a topology that is a string', bytesOf({ modelTopology: 'x', weightsManifest: [] })],
    ['another format', bytesOf({ format: 'tfjs-next', modelTopology: {}, weightsManifest: [] })],
    [
      'JSON of 100,000 levels',
      Buffer.from(
        `{"modelTopology":{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}},"weightsManifest":[]}`,
      ),
    ],
    [
      'JSON of 50,000 objects inside each other',
      Buffer.from(
        `{"modelTopology":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)},"weightsManifest":[]}`,
      ),
    ],
  ])('with %s is BASE_INVALID', (_, bytes) => {
    expectCode('BASE_INVALID', () => assembleTfjsBase(parseModelJson(bytes), new Map()))
  })

  it('with a lone surrogate, which no canonical JSON can hold, is BASE_INVALID', () => {
    const bytes = Buffer.from('{"modelTopology":{"a":"\\ud800"},"weightsManifest":[]}')
    expectCode('BASE_INVALID', () => assembleTfjsBase(parseModelJson(bytes), new Map()))
  })

  it('says every fault with its path', () => {
    weight(tiny, 0).dtype = 'string'
    weight(tiny, 1).shape = [-1]
    expect(() => parse(tiny)).toThrow(
      expect.objectContaining({
        details: [
          expect.stringMatching(/^weightsManifest\.0\.weights\.0\.dtype: /) as string,
          expect.stringMatching(/^weightsManifest\.0\.weights\.1\.shape\.0: /) as string,
        ],
      }) as Error,
    )
  })

  it('that is larger than any is BASE_TOO_LARGE, before it is parsed', () => {
    expectCode('BASE_TOO_LARGE', () => parseModelJson(Buffer.alloc(64 * 2 ** 20 + 1, '[')))
  })
})

describe('a weight path', () => {
  it.each(['weights.bin', 'group1-shard1of1', 'a/b/c.bin', 'a b.bin', '...bin', 'ä'])(
    '%s is taken',
    (path) => {
      group(tiny).paths = [path]
      expect(parse(tiny).groups[0]?.paths).toEqual([path])
    },
  )

  it.each([
    '../x',
    '..',
    '.',
    './x',
    '/etc/passwd',
    'a/../../x',
    'a/./x',
    'a//x',
    'a/',
    '/',
    'C:\\x',
    'C:x',
    '\\\\host\\share',
    'a\\..\\x',
    '%2e%2e/x',
    '%2e%2e%2fx',
    'x%00',
    'a\0b',
    'http://example.org/x',
    'file:///etc/passwd',
    '//example.org/x',
    'x?y=1',
    'x#y',
  ])('%j is refused: it could lead out of the folder', (path) => {
    group(tiny).paths = [path]
    expectCode('BASE_PATH_UNSAFE', () => parse(tiny))
  })

  it('that is empty is refused', () => {
    group(tiny).paths = ['']
    expectCode('BASE_INVALID', () => parse(tiny))
  })

  it('that is named twice is refused, in one group or in two', () => {
    group(tiny).paths = ['a', 'a']
    expectCode('BASE_INVALID', () => parse(tiny))
    group(tiny).paths = ['a']
    tiny.model.weightsManifest.push({ paths: ['a'], weights: [] })
    expectCode('BASE_INVALID', () => parse(tiny))
  })

  it('among more than ten thousand is refused', () => {
    group(tiny).paths = Array.from({ length: 10_001 }, (_, i) => `w${i}`)
    expectCode('BASE_INVALID', () => parse(tiny))
  })
})

describe('weights that are too many', () => {
  it.each<[string, number[]]>([
    ['one axis', [MAX_PARAMETERS + 1]],
    ['a product beyond 2^53', [2 ** 31, 2 ** 31, 2 ** 31]],
    ['a product that is infinite', Array.from({ length: 40 }, () => 2 ** 31)],
  ])('by %s are BASE_TOO_LARGE', (_, shape) => {
    weight(tiny, 0).shape = shape
    expectCode('BASE_TOO_LARGE', () => parse(tiny))
  })

  it('together are BASE_TOO_LARGE', () => {
    const half = { name: 'x', shape: [MAX_PARAMETERS / 2], dtype: 'float32' }
    group(tiny).weights.push({ ...half }, { ...half, name: 'y' })
    expectCode('BASE_TOO_LARGE', () => parse(tiny))
  })

  it('but allowed are missed in the files, before memory is taken for them', () => {
    weight(tiny, 0).shape = [MAX_PARAMETERS - 20]
    const before = process.memoryUsage().rss
    expectCode('BASE_WEIGHTS_INVALID', () => assembleTfjsBase(parse(tiny), new Map()))
    expect(process.memoryUsage().rss - before).toBeLessThan(500 * 2 ** 20)
  })
})
