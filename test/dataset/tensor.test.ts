import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromArrays,
  tableToIPC,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openNpyTensor } from '../../src/dataset/npy.js'
import { float16ToNumber } from '../../src/dataset/npy-values.js'
import { readTensorTableInThread } from '../../src/features/arrow-tensor-thread.js'
import { sampleKeyOfRow } from '../../src/identity/ids.js'
import {
  byName,
  bytesOf,
  failureOf,
  indexAt,
  makeTree,
  npyBytes,
  npyWithHeader,
} from './support.js'

const values = Float32Array.from({ length: 4 * 6 }, (_, index) => index / 7)
const rowBytes = (row: number) => bytesOf(values.slice(row * 6, row * 6 + 6))
const x = npyBytes({ shape: [4, 2, 3] }, bytesOf(values))
const labels = 'label\ncat\ncat\ndog\ndog\n'
const float32sOf = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)]

describe('a .npy file', () => {
  it('becomes one sample a row, read back by key', async () => {
    const root = await makeTree({ 'x.npy': x, 'y.csv': labels })
    const { dataset, reader } = await indexAt(join(root, 'x.npy'), { labels: join(root, 'y.csv') })
    expect(dataset.content).toEqual({ kind: 'tensor', dtype: 'float32', shape: [2, 3] })
    const key = sampleKeyOfRow('float32', [2, 3], rowBytes(2))
    expect(byName(dataset).get('row-2')).toMatchObject({ key, label: [1] })
    expect(Buffer.from(await reader.read(key))).toEqual(Buffer.from(rowBytes(2)))
    await reader.close()
  })

  it.each([
    ['<f8', bytesOf(Float64Array.of(1, 0.1, -3, 4))],
    ['<f2', new Uint8Array([0x00, 0x3c, 0x66, 0x2e, 0x00, 0xc2, 0x00, 0x44])],
    ['|u1', new Uint8Array([1, 0, 255, 4])],
    ['<i4', bytesOf(Int32Array.of(1, 0, -3, 4))],
    ['<i8', bytesOf(BigInt64Array.of(1n, 0n, -3n, 4n))],
  ])('of %s is read as float32', async (descr, data) => {
    const expected: Record<string, number[]> = {
      '<f8': [1, Math.fround(0.1), -3, 4],
      '<f2': [1, 0.0999755859375, -3, 4],
      '|u1': [1, 0, 255, 4],
    }
    const root = await makeTree({ 'x.npy': npyBytes({ descr, shape: [2, 2], version: 2 }, data) })
    const source = await openNpyTensor(join(root, 'x.npy'))
    expect(float32sOf(await source.readRows(0, 2))).toEqual(expected[descr] ?? [1, 0, -3, 4])
    await source.close()
  })

  it('has half floats of every kind', () => {
    const pairs = [
      [0x0001, 2 ** -24],
      [0x7c00, Infinity],
      [0xfc00, -Infinity],
      [0x7bff, 65504],
      [0x8000, -0],
    ] as const
    for (const [bits, value] of pairs) expect(float16ToNumber(bits)).toBe(value)
    expect(float16ToNumber(0x7e00)).toBeNaN()
  })

  it('takes labels of .npy and JSONL, with whole numbers in their order', async () => {
    const ints = npyBytes({ descr: '<i8', shape: [4] }, bytesOf(BigInt64Array.of(10n, 10n, 9n, 9n)))
    const floats = npyBytes({ descr: '<f8', shape: [4] }, bytesOf(Float64Array.of(0.1, 2, 3, 4)))
    const lines = [1, 1, 2, 2].map((label) => `{"label":"${label}","split":"train"}\n`).join('')
    const root = await makeTree({ 'x.npy': x, 'i.npy': ints, 'f.npy': floats, 'l.jsonl': lines })
    const at = async (file: string, target: 'single' | 'regression' = 'single') =>
      (await indexAt(join(root, 'x.npy'), { labels: join(root, file), target })).dataset
    expect((await at('i.npy')).target).toMatchObject({ classes: ['9', '10'] })
    expect(byName(await at('f.npy', 'regression')).get('row-0')?.label).toEqual([0.1])
    expect((await failureOf(at('f.npy'))).code).toBe('DATASET_INVALID')
    expect((await at('l.jsonl')).samples.every(({ split }) => split === 'train')).toBe(true)
  })

  it('keeps rows that are not finite and joins equal rows', async () => {
    const odd = Float32Array.of(NaN, 1, NaN, 1, Infinity, 0, 2, 0)
    const root = await makeTree({
      'x.npy': npyBytes({ shape: [4, 2] }, bytesOf(odd)),
      'y.csv': 'label\na\na\nb\nb\n',
    })
    const index = indexAt(join(root, 'x.npy'), { labels: join(root, 'y.csv') })
    expect((await failureOf(index)).details).toEqual(['a: 1'])
  })

  it('refuses labels that are missing or of another count', async () => {
    const root = await makeTree({ 'x.npy': x, 'y.csv': 'label\na\n' })
    expect((await failureOf(indexAt(join(root, 'x.npy')))).code).toBe('REQUEST_INVALID')
    const short = indexAt(join(root, 'x.npy'), { labels: join(root, 'y.csv') })
    expect((await failureOf(short)).message).toContain('1 labels for 4 rows')
    const none = indexAt(join(root, 'x.npy'), { labels: join(root, 'none.csv') })
    expect((await failureOf(none)).code).toBe('INPUT_MISSING')
  })

  const data = bytesOf(values)
  const dict = (descr: string, order: string, shape: string) =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['other bytes', Buffer.from('not numpy at all')],
    ['a truncated header', x.subarray(0, 40)],
    ['truncated values', x.subarray(0, x.length - 1)],
    ['bytes after the values', Buffer.concat([x, Buffer.from([0])])],
    ['Fortran order', npyBytes({ shape: [4, 6], fortran: true }, data)],
    ['an unknown dtype', npyBytes({ shape: [4, 6], descr: '>f4' }, data)],
    ['an object dtype', npyBytes({ shape: [4, 6], descr: '|O' }, data)],
    [
      'a name of Object.prototype as dtype',
      npyBytes({ shape: [4, 6], descr: 'constructor' }, data),
    ],
    ['one axis', npyBytes({ shape: [24] }, data)],
    ['rows without values', npyBytes({ shape: [4, 0] }, new Uint8Array())],
    ['version 9', npyBytes({ shape: [4, 6], version: 9 }, data)],
    [
      'an endless shape',
      npyWithHeader(dict("'<f4'", 'False', '(9007199254740991, 9007199254740991)'), data),
    ],
    ['a shape with a hole', npyWithHeader(dict("'<f4'", 'False', '(4,, 6)'), data)],
    ['code as header', npyWithHeader("__import__('os')", data)],
    ['members twice', npyWithHeader(`{'descr': '<f4', 'descr': '<f8', 'shape': (4, 6)}`, data)],
    ['a member missing', npyWithHeader(`{'descr': '<f4', 'shape': (4, 6)}`, data)],
    ['a shape that is a string', npyWithHeader(dict("'<f4'", 'False', "'4'"), data)],
    ['a header of 1 MiB', npyWithHeader(' '.repeat(2 ** 20), data, 2)],
  ])('with %s is refused', async (_, bytes) => {
    const root = await makeTree({ 'x.npy': bytes, 'y.csv': labels })
    const index = indexAt(join(root, 'x.npy'), { labels: join(root, 'y.csv') })
    expect((await failureOf(index)).code).toBe('DATASET_INVALID')
  })

  it('is refused or read, and nothing else, whatever a byte of its header is', async () => {
    const root = await makeTree({})
    const file = join(root, 'x.npy')
    const position = fc.nat({ max: x.length - data.length - 1 })
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 255 }), async (at, byte) => {
        const broken = Buffer.from(x)
        broken[at] = byte
        await writeFile(file, broken)
        const outcome = await openNpyTensor(file).then(
          async (source) => {
            await source.close()
            return 'read'
          },
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
        )
        expect(['read', 'DATASET_INVALID']).toContain(outcome)
      }),
    )
  })

  it('is found changed, shortened or vanished when it is read', async () => {
    const root = await makeTree({ 'x.npy': x, 'y.csv': labels })
    const spec = { labels: join(root, 'y.csv') }
    const key = sampleKeyOfRow('float32', [2, 3], rowBytes(3))
    const first = await indexAt(join(root, 'x.npy'), spec)
    const second = await indexAt(join(root, 'x.npy'), spec)
    const third = await indexAt(join(root, 'x.npy'), spec)
    const changed = Buffer.from(x)
    changed[x.length - 1] = 1
    await writeFile(join(root, 'x.npy'), changed)
    expect((await failureOf(first.reader.read(key))).code).toBe('DATASET_CHANGED')
    await writeFile(join(root, 'x.npy'), x.subarray(0, x.length - 24))
    expect((await failureOf(first.reader.read(key))).code).toBe('DATASET_CHANGED')
    expect((await failureOf(second.reader.read(key))).code).toBe('DATASET_CHANGED')
    await rm(join(root, 'x.npy'))
    expect((await failureOf(third.reader.read(key))).code).toBe('DATASET_CHANGED')
    await Promise.all([first, second, third].map(({ reader }) => reader.close()))
  })
})

const arrowBytes = (
  columns: Record<string, Vector>,
  { shape, type = 'file' }: { shape?: string; type?: 'file' | 'stream' } = {},
): Uint8Array => {
  const item = new Field('item', new Float32(), false)
  const list = new FixedSizeList(6, item)
  const metadata = new Map(shape === undefined ? [] : [['shape', shape]])
  const fields = [
    new Field('x', list, false, metadata),
    ...Object.entries(columns).map(([name, vector]) => new Field(name, vector.type, true)),
  ]
  const tensor = makeData({
    type: list,
    length: 4,
    nullCount: 0,
    child: makeData({ type: new Float32(), length: 24, nullCount: 0, data: values }),
  })
  const others = Object.values(columns).flatMap((vector) => vector.data)
  const children = [tensor, ...others]
  const struct = makeData({ type: new Struct(fields), length: 4, nullCount: 0, children })
  return tableToIPC(new Table([new RecordBatch(new Schema(fields), struct)]), type)
}
const listOfText = new List(new Field('item', new Utf8(), true))
const words = (...texts: (string | null)[]) => vectorFromArray(texts, new Utf8())

describe('an .arrow file', () => {
  it('becomes one sample a row, with labels, splits and the shape of its metadata', async () => {
    const dictionary = vectorFromArray(
      ['a', 'b', 'a', 'b'],
      new Dictionary(new Utf8(), new Int32()),
    )
    const bytes = arrowBytes(
      { label: dictionary, split: words('train', 'train', 'test', 'validation') },
      { shape: '[3,2]' },
    )
    const root = await makeTree({ 'x.arrow': bytes })
    const { dataset, reader } = await indexAt(join(root, 'x.arrow'))
    expect(dataset.content).toEqual({ kind: 'tensor', dtype: 'float32', shape: [3, 2] })
    const key = sampleKeyOfRow('float32', [3, 2], rowBytes(2))
    expect(byName(dataset).get('row-2')).toMatchObject({ key, label: [0], split: 'test' })
    expect(Buffer.from(await reader.read(key))).toEqual(Buffer.from(rowBytes(2)))
    await reader.close()
  })

  it('takes whole numbers, lists of names and floats as labels', async () => {
    const at = async (label: Vector, target: 'single' | 'multi' | 'regression') => {
      const root = await makeTree({ 'x.arrow': arrowBytes({ label }) })
      return (await indexAt(join(root, 'x.arrow'), { target })).dataset
    }
    const numbers = await at(vectorFromArray([10, 10, 9, 9], new Int32()), 'single')
    expect(numbers.target).toMatchObject({ classes: ['9', '10'] })
    const lists = await at(vectorFromArray([['a', 'b'], [], ['b'], ['a']], listOfText), 'multi')
    expect(byName(lists).get('row-0')?.label).toEqual([0, 1])
    const floats = await at(vectorFromArray([0.5, 1, 2, 3], new Float32()), 'regression')
    expect(byName(floats).get('row-0')?.label).toEqual([0.5])
  })

  it('is refused when it is not what it should be', async () => {
    const good = arrowBytes({ label: words('a', 'a', 'b', 'b') })
    const bad: [string, Uint8Array][] = [
      ['nothing', new Uint8Array()],
      ['truncated', good.subarray(0, good.length - 40)],
      ['a stream', arrowBytes({ label: words('a', 'a', 'b', 'b') }, { type: 'stream' })],
      ['no label', arrowBytes({ other: words('a', 'a', 'b', 'b') })],
      ['a label missing', arrowBytes({ label: words('a', null, 'b', 'b') })],
      ['another shape', arrowBytes({ label: words('a', 'a', 'b', 'b') }, { shape: '[4,2]' })],
      ['a negative shape', arrowBytes({ label: words('a', 'a', 'b', 'b') }, { shape: '[-2,-3]' })],
      ['no tensor', tableToIPC(tableFromArrays({ label: ['a', 'b'] }), 'file')],
    ]
    for (const [name, bytes] of bad) {
      const root = await makeTree({ 'x.arrow': bytes })
      expect((await failureOf(indexAt(join(root, 'x.arrow')))).code, name).toBe('DATASET_INVALID')
    }
  })

  it('is given up when the parser misses its deadline, or at an abort', async () => {
    const bytes = () => Uint8Array.from(arrowBytes({ label: words('a', 'a', 'b', 'b') }))
    const late = readTensorTableInThread(bytes(), { deadlineMs: 1 })
    expect((await failureOf(late)).message).toContain('not parsed within')
    const controller = new AbortController()
    const aborted = readTensorTableInThread(bytes(), { signal: controller.signal })
    controller.abort()
    expect((await failureOf(aborted)).code).toBe('INTERRUPTED')
  })
})
