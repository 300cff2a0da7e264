import { mkdir, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { sha256, sha256OfJson } from '../../src/identity/hash.js'
import { contentIdOf } from '../../src/identity/ids.js'
import { byName, failureOf, indexAt, makeFolder, makeTree, writeTree } from './support.js'

const pets = { 'cat/a.png': 'A', 'cat/b.png': 'B', 'dog/c.jpg': 'C', 'dog/d.webp': 'D' }

describe('a folder of class folders', () => {
  it('becomes samples of real images whose content is read back', async () => {
    const image = (red: number) =>
      sharp({ create: { width: 4, height: 4, channels: 3, background: { r: red, g: 0, b: 0 } } })
        .png()
        .toBuffer()
    const images = await Promise.all([0, 60, 120, 180].map(image))
    const [a, b, c, d] = images as [Buffer, Buffer, Buffer, Buffer]
    const root = await makeTree({ 'x/1.png': a, 'x/2.png': b, 'y/1.png': c, 'y/2.png': d })
    const { dataset, reader } = await indexAt(root)
    expect(dataset.content).toEqual({ kind: 'image' })
    expect(dataset.target).toEqual({ kind: 'single', classes: ['x', 'y'] })
    expect(dataset.samples.map(({ key }) => key)).toEqual(images.map((i) => sha256(i)).sort())
    const sample = byName(dataset).get('y/1.png')
    expect(sample?.label).toEqual([1])
    expect(Buffer.from(await reader.read(sha256(c)))).toEqual(c)
    expect(reader.nameOf(sha256(c))).toBe('y/1.png')
    await reader.close()
  })

  it('sorts classes by code unit and takes nested folders, text named .png and empty files', async () => {
    const root = await makeTree({
      ...pets,
      'Zebra/deep/er/e.TIFF': 'E',
      'Zebra/f.png': '',
      'cat/.hidden.png': 'H',
      '.git/g.png': 'G',
      'cat/readme.txt': 'no image',
      'stray.png': 'S',
    })
    const { dataset } = await indexAt(root)
    expect(dataset.target).toEqual({ kind: 'single', classes: ['Zebra', 'cat', 'dog'] })
    expect([...byName(dataset).keys()].sort()).toEqual(
      [...Object.keys(pets), 'Zebra/deep/er/e.TIFF', 'Zebra/f.png'].sort(),
    )
    expect(dataset.notes).toEqual([
      'ignored 1 file without an image extension',
      'ignored 1 image outside of a class folder',
    ])
  })

  it('has ids that are what the design says', async () => {
    const { dataset } = await indexAt(await makeTree(pets))
    const { contentId, content, target, samples } = dataset
    expect(contentId).toBe(contentIdOf(['A', 'B', 'C', 'D'].map((text) => sha256(text))))
    const classes = ['cat', 'dog']
    expect(dataset.datasetId).toBe(
      sha256OfJson({
        contentId,
        content: { ...content },
        target: { ...target },
        samples: samples.map(({ key, names, label, split }) => [
          key,
          names,
          label.map((index) => classes[index] ?? ''),
          split,
        ]),
      }),
    )
  })

  it('uses split folders where they are given, unless a split is asked for', async () => {
    const root = await makeTree({
      'train/cat/a.png': 'A',
      'train/dog/b.png': 'B',
      'val/cat/c.png': 'C',
      'test/dog/d.png': 'D',
    })
    const given = byName((await indexAt(root)).dataset)
    expect([...given].map(([name, { split }]) => `${name} ${split}`).sort()).toEqual([
      'test/dog/d.png test',
      'train/cat/a.png train',
      'train/dog/b.png train',
      'val/cat/c.png validation',
    ])
    const byKey = await indexAt(root, {}, { split: { train: 1, validation: 0, test: 0 } })
    expect(new Set(byKey.dataset.samples.map(({ split }) => split))).toEqual(new Set(['train']))
  })

  it('reads a class named train as a class when other classes lie beside it', async () => {
    const root = await makeTree({
      'train/a.png': 'A',
      'train/b.png': 'B',
      'car/c.png': 'C',
      'car/d.png': 'D',
    })
    const { dataset } = await indexAt(root)
    expect(dataset.target).toMatchObject({ classes: ['car', 'train'] })
    expect(dataset.notes).toEqual(['"train" was read as a class, because "car" lies beside it'])
  })

  it('refuses links that leave the folder and ends on cycles of links', async () => {
    const outside = await makeTree({ 'secret/s.png': 'S', 'secret/t.png': 'T' })
    const root = await makeTree(pets)
    await symlink(join(outside, 'secret/s.png'), join(root, 'cat/s.png'))
    await symlink(join(outside, 'secret'), join(root, 'secret'))
    await symlink(root, join(root, 'cat/self'))
    await symlink('nowhere', join(root, 'cat/broken.png'))
    await symlink('a.png', join(root, 'cat/same.png'))
    const { dataset, reader } = await indexAt(root, { target: 'multi' })
    expect(dataset.target).toMatchObject({ classes: ['cat', 'dog'] })
    expect(dataset.samples.length).toBe(4)
    expect(byName(dataset).get('cat/same.png')?.names).toContain('cat/a.png')
    expect(dataset.notes).toContain('refused cat/s.png (a link that leaves the folder)')
    expect(dataset.notes).toContain('refused secret (a link that leaves the folder)')
    expect(dataset.notes).toContain('refused cat/broken.png (a broken link)')
    expect(Buffer.from(await reader.read(sha256('A'))).toString()).toBe('A')
  })

  it('refuses at reading a file that became a link to elsewhere', async () => {
    const root = await makeTree(pets)
    const outside = await makeTree({ a: 'A' })
    const { reader } = await indexAt(root)
    await unlink(join(root, 'cat/a.png'))
    await symlink(join(outside, 'a'), join(root, 'cat/a.png'))
    expect((await failureOf(reader.read(sha256('A')))).code).toBe('DATASET_CHANGED')
  })
})

describe('the content of a dataset', () => {
  it('keeps its id when files are renamed, moved and relabelled', async () => {
    const root = await makeTree(pets)
    const before = (await indexAt(root)).dataset
    await rename(join(root, 'cat'), join(root, 'tiger'))
    await mkdir(join(root, 'dog/nested'))
    await rename(join(root, 'dog/c.jpg'), join(root, 'dog/nested/z.jpg'))
    const after = (await indexAt(root)).dataset
    expect(after.contentId).toBe(before.contentId)
    expect(after.datasetId).not.toBe(before.datasetId)
    expect(after.samples.map(({ split }) => split)).toEqual(
      before.samples.map(({ split }) => split),
    )
  })

  it('counts equal files of one class once, with all their names', async () => {
    const root = await makeTree({ ...pets, 'cat/copy.png': 'A', 'cat/sub/copy.png': 'A' })
    const { dataset } = await indexAt(root)
    expect(dataset.samples.length).toBe(4)
    expect(byName(dataset).get('cat/a.png')?.names).toEqual([
      'cat/a.png',
      'cat/copy.png',
      'cat/sub/copy.png',
    ])
    expect(dataset.notes).toEqual(['equal contents were joined: 2 names more than samples'])
  })

  it('leaves out what lies in two classes and says so; multi joins the labels', async () => {
    const root = await makeTree({ ...pets, 'cat/both.png': 'X', 'dog/both.png': 'X' })
    const single = (await indexAt(root)).dataset
    expect(single.samples.some(({ key }) => key === sha256('X'))).toBe(false)
    expect(single.notes).toEqual([
      'left out, equal content with different labels: cat/both.png (cat), dog/both.png (dog)',
    ])
    const multi = (await indexAt(root, { target: 'multi' })).dataset
    expect(byName(multi).get('cat/both.png')?.label).toEqual([0, 1])
  })

  it('keeps equal content of several splits in the strictest', async () => {
    const root = await makeTree({
      'train/cat/a.png': 'A',
      'train/cat/b.png': 'B',
      'train/dog/c.png': 'C',
      'train/dog/d.png': 'D',
      'test/cat/again.png': 'A',
      'valid/dog/again.png': 'C',
    })
    const { dataset } = await indexAt(root)
    expect(byName(dataset).get('train/cat/a.png')?.split).toBe('test')
    expect(byName(dataset).get('train/dog/c.png')?.split).toBe('validation')
    expect(dataset.notes.filter((note) => note.startsWith('equal content in several')).length).toBe(
      2,
    )
  })

  it('is found changed or vanished when it is read, and found under its other name', async () => {
    const root = await makeTree({ ...pets, 'cat/copy.png': 'A' })
    const { reader } = await indexAt(root)
    await unlink(join(root, 'cat/a.png'))
    expect(Buffer.from(await reader.read(sha256('A'))).toString()).toBe('A')
    await writeFile(join(root, 'cat/copy.png'), 'B')
    const changed = await failureOf(reader.read(sha256('A')))
    expect(changed.code).toBe('DATASET_CHANGED')
    expect(changed.message).toBe('cat/a.png changed or vanished since it was indexed')
    await unlink(join(root, 'dog/c.jpg'))
    expect((await failureOf(reader.read(sha256('C')))).code).toBe('DATASET_CHANGED')
    expect((await failureOf(reader.read(sha256('no')))).code).toBe('NOT_FOUND')
  })
})

describe('a folder that cannot be trained on', () => {
  const codeAt = async (files: Record<string, string>) =>
    (await failureOf(indexAt(await makeTree(files)))).code

  it('is refused with the reason', async () => {
    expect(await codeAt({})).toBe('DATASET_EMPTY')
    expect(await codeAt({ 'a.png': 'A' })).toBe('DATASET_EMPTY')
    expect(await codeAt({ 'cat/a.png': 'A', 'cat/b.png': 'B' })).toBe('DATASET_TOO_FEW_CLASSES')
    expect(
      await codeAt({
        'test/cat/a.png': 'A',
        'test/cat/b.png': 'B',
        'test/dog/c.png': 'C',
        'test/dog/d.png': 'D',
      }),
    ).toBe('DATASET_INVALID')
    const root = await makeFolder()
    expect((await failureOf(indexAt(join(root, 'none')))).code).toBe('INPUT_MISSING')
    await writeTree(root, { 'x.zip': 'PK' })
    expect((await failureOf(indexAt(join(root, 'x.zip')))).code).toBe('DATASET_INVALID')
    const regression = indexAt(await makeTree(pets), { target: 'regression' })
    expect((await failureOf(regression)).code).toBe('DATASET_INVALID')
    const labels = indexAt(await makeTree(pets), { labels: 'labels.csv' })
    expect((await failureOf(labels)).code).toBe('REQUEST_INVALID')
  })

  it('names all classes of fewer than two distinct samples', async () => {
    const root = await makeTree({ ...pets, 'one/a.png': '1', 'two/a.png': '2', 'two/b.png': '2' })
    const error = await failureOf(indexAt(root))
    expect(error.code).toBe('DATASET_CLASS_TOO_SMALL')
    expect(error.details).toEqual(['one: 1', 'two: 1'])
  })
})
