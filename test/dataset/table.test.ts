import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { byName, failureOf, indexAt, makeTree } from './support.js'

const images = { 'i/a.png': 'A', 'i/b, c.png': 'B', 'i/c.png': 'C', 'i/d.png': 'D' }
type Spec = Parameters<typeof indexAt>[1]

const indexTable = async (name: string, text: string, spec?: Spec) => {
  const root = await makeTree({ ...images, [name]: text })
  return (await indexAt(join(root, name), spec)).dataset
}
const faultsOf = async (name: string, text: string, spec?: Spec) => {
  const error = await failureOf(indexTable(name, text, spec))
  expect(error.code).toBe('DATASET_INVALID')
  return error.details
}

describe('a CSV table', () => {
  it('takes a byte order mark, quoted commas, CRLF and splits', async () => {
    const text =
      '\uFEFFpath,label,split\r\ni/a.png,"cat, big",train\r\n"i/b, c.png","cat, big",val\r\n\r\n./i/c.png,dog,train\r\ni/x/../d.png, dog ,test\r\n'
    const dataset = await indexTable('t.csv', text)
    expect(dataset.target).toEqual({ kind: 'single', classes: ['cat, big', 'dog'] })
    const samples = byName(dataset)
    expect(samples.get('i/b, c.png')).toMatchObject({ label: [0], split: 'validation' })
    expect(samples.get('i/d.png')).toMatchObject({ label: [1], split: 'test' })
    expect(samples.get('i/c.png')?.split).toBe('train')
  })

  it('takes many labels, and none', async () => {
    const text = 'label,path,by\nx|y,i/a.png,me\n,i/c.png,me\ny | y,i/d.png,me\n'
    const dataset = await indexTable('t.csv', text, { target: 'multi' })
    const samples = byName(dataset)
    expect(dataset.target).toEqual({ kind: 'multi', classes: ['x', 'y'] })
    expect(samples.get('i/a.png')?.label).toEqual([0, 1])
    expect(samples.get('i/c.png')?.label).toEqual([])
    expect(samples.get('i/d.png')?.label).toEqual([1])
    expect(dataset.notes).toEqual(['ignored columns: by'])
  })

  it('takes numbers for a regression', async () => {
    const text = 'path,label\ni/a.png,1.5|-2e3\ni/c.png,.25| 7\n'
    const dataset = await indexTable('t.csv', text, { target: 'regression' })
    expect(dataset.target).toEqual({ kind: 'regression', outputs: ['output_0', 'output_1'] })
    expect(byName(dataset).get('i/a.png')?.label).toEqual([1.5, -2000])
    expect(byName(dataset).get('i/c.png')?.label).toEqual([0.25, 7])
  })

  it('reports all faults at once, in the order of rows', async () => {
    const text =
      'path,label,split\ni/a.png,cat,train\nmissing.png,,train\n../up.png,dog,dev\n/etc/passwd,dog,test\ni,dog,test\ni/c.png,dog\n,dog,test\n'
    expect(await faultsOf('t.csv', text)).toEqual([
      'row 3: the label is empty',
      'row 3: missing.png: the file is missing',
      'row 4: the split "dev" is none of train, validation, test',
      'row 4: the path ../up.png leaves the folder',
      'row 5: the path /etc/passwd leaves the folder',
      'row 6: i: the path is no regular file',
      'row 7: 2 values, but the header has 3 columns',
      'row 8: the path is empty',
    ])
  })

  it('shows twenty faults and how many more there are', async () => {
    const text = `path,label\n${'none.png,x\n'.repeat(25)}`
    const details = await faultsOf('t.csv', text)
    expect(details.length).toBe(21)
    expect(details.at(-1)).toBe('... and 5 more')
  })

  it('refuses a header without path or label, no header at all, and what is no CSV', async () => {
    expect(await faultsOf('t.csv', 'file,label\na,b\n')).toEqual([
      'row 1: the header has no column "path"',
    ])
    expect(await faultsOf('t.csv', 'path,path,class\n')).toEqual([
      'row 1: the header has no column "label"',
      'row 1: the header has the column "path" twice',
    ])
    expect(await faultsOf('t.csv', '')).toEqual(['the table is empty: a header line is missing'])
    expect(await faultsOf('t.csv', 'path,label\n"open,cat\n')).toEqual([])
    expect(await faultsOf('t.csv', `path,label\n${'x'.repeat(2 ** 21)},cat\n`)).toEqual([])
    const none = indexTable('t.csv', 'path,label\n')
    expect((await failureOf(none)).code).toBe('DATASET_EMPTY')
  })

  it('refuses targets that are no numbers or differ in length, and splits for some rows only', async () => {
    const regression = 'path,label\ni/a.png,1\ni/c.png,NaN\ni/d.png,1|2\ni/c.png,0x10\n'
    expect(await faultsOf('t.csv', regression, { target: 'regression' })).toEqual([
      'row 3: the label "NaN" is no number',
      'row 4: the label has 2 values, but row 2 has 1',
      'row 5: the label "0x10" is no number',
    ])
    const huge = 'path,label\ni/a.png,1e999\n'
    expect((await faultsOf('t.csv', huge, { target: 'regression' })).length).toBe(1)
    expect(await faultsOf('t.csv', 'path,label,split\ni/a.png,x,train\ni/c.png,y,\n')).toEqual([
      'row 3: some rows have a split and others have none',
    ])
    expect(
      (await faultsOf('t.csv', 'path,label\ni/a.png,a||b\n', { target: 'multi' })).length,
    ).toBe(1)
  })

  it('refuses a path that leaves its folder through a link', async () => {
    const outside = await makeTree({ 'o.png': 'O' })
    const root = await makeTree({ ...images, 't.csv': 'path,label\nlink.png,x\ndir/o.png,x\n' })
    await symlink(join(outside, 'o.png'), join(root, 'link.png'))
    await symlink(outside, join(root, 'dir'))
    const error = await failureOf(indexAt(join(root, 't.csv')))
    expect(error.details).toEqual([
      'row 2: link.png: the path leaves the folder of the table through a link',
      'row 3: dir/o.png: the path leaves the folder of the table through a link',
    ])
  })
})

describe('a JSONL table', () => {
  const lines = (...rows: unknown[]) => `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`

  it('takes text, numbers and arrays as labels', async () => {
    const text = lines(
      { path: 'i/a.png', label: 10 },
      { path: 'i/b, c.png', label: 10 },
      { path: 'i/c.png', label: 9 },
      { path: 'i/d.png', label: 9 },
    )
    const dataset = await indexTable('t.ndjson', `\uFEFF${text}\n`)
    expect(dataset.target).toEqual({ kind: 'single', classes: ['9', '10'] })
    const multi = lines({ path: 'i/a.png', label: ['x', 'y'] }, { path: 'i/c.png', label: [] })
    const many = await indexTable('t.jsonl', multi, { target: 'multi' })
    expect(byName(many).get('i/a.png')?.label).toEqual([0, 1])
    const numbers = lines({ path: 'i/a.png', label: 1.5 }, { path: 'i/c.png', label: [2] })
    const values = await indexTable('t.jsonl', numbers, { target: 'regression' })
    expect(byName(values).get('i/c.png')?.label).toEqual([2])
  })

  it('refuses unknown members, lines that are no JSON, and labels of the wrong kind', async () => {
    const text = `${lines({ path: 'i/a.png', label: 'x', weight: 1 })}{"path":\n${lines(
      { label: 'x' },
      { path: 'i/a.png', label: ['x'] },
      { path: 'i/a.png', label: 1.5 },
      { path: 'i/a.png', label: '' },
      { path: 'i/a.png', label: 'x', split: 'dev' },
    )}`
    const details = await faultsOf('t.jsonl', text)
    expect([...new Set(details.map((detail) => detail.split(':')[0]))]).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((row) => `row ${row}`),
    )
    expect(details[0]).toContain('weight')
  })

  it('refuses lines of any length and bytes that are not UTF-8', async () => {
    expect(await faultsOf('t.jsonl', 'x'.repeat(3 * 2 ** 20))).toEqual([])
    const root = await makeTree({ 't.jsonl': Buffer.from([0x7b, 0xff, 0x7d, 0x0a]) })
    expect((await failureOf(indexAt(join(root, 't.jsonl')))).message).toContain('not UTF-8')
  })
})
