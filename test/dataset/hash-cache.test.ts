import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashFiles } from '../../src/dataset/hash-files.js'
import { sha256 } from '../../src/identity/hash.js'
import { byName, failureOf, indexAt, LONG_AGO, makeFolder, makeTree, writeTree } from './support.js'

const pets = { 'cat/a.png': 'A', 'cat/b.png': 'B', 'dog/c.png': 'C', 'dog/ü\n.png': 'D' }

const setUp = async () => {
  const root = await makeTree(pets)
  const cacheDir = await makeFolder()
  const files = Object.keys(pets).map((name) => ({ name, path: join(root, name) }))
  const hash = (options: { signal?: AbortSignal; onProgress?: (done: number) => void } = {}) =>
    hashFiles(files, { root, cacheDir, ...options })
  const cacheFile = async () => join(cacheDir, (await readdir(cacheDir))[0] ?? '')
  return { root, cacheDir, hash, cacheFile }
}

describe('remembered hashes', () => {
  it('make indexing an unchanged folder read no file', async () => {
    const { hash } = await setUp()
    const first = await hash()
    const second = await hash()
    expect([first.read, second.read]).toEqual([4, 0])
    expect(second.keys).toEqual(['A', 'B', 'C', 'D'].map((text) => sha256(text)))
  })

  it('are used by indexDataset: content changed behind the same stamp goes unnoticed', async () => {
    const { root, cacheDir } = await setUp()
    await indexAt(root, {}, { cacheDir })
    await writeFile(join(root, 'cat/a.png'), 'Z')
    await utimes(join(root, 'cat/a.png'), LONG_AGO, LONG_AGO)
    const { dataset, reader } = await indexAt(root, {}, { cacheDir })
    expect(byName(dataset).get('cat/a.png')?.key).toBe(sha256('A'))
    expect((await failureOf(reader.read(sha256('A')))).code).toBe('DATASET_CHANGED')
  })

  it('are not used for a file whose time, size or inode is another', async () => {
    const { root, hash } = await setUp()
    await hash()
    await utimes(join(root, 'cat/a.png'), LONG_AGO, new Date(LONG_AGO.getTime() + 1000))
    await writeFile(join(root, 'cat/b.png'), 'longer')
    await utimes(join(root, 'cat/b.png'), LONG_AGO, LONG_AGO)
    expect((await hash()).read).toBe(2)
  })

  it('are not trusted for a file that was modified just before it was read', async () => {
    const { root, hash } = await setUp()
    await writeFile(join(root, 'cat/a.png'), 'Z')
    expect((await hash()).read).toBe(4)
    expect((await hash()).read).toBe(1)
  })

  it('are ignored when their file is broken in any way', async () => {
    const { hash, cacheFile } = await setUp()
    await hash()
    const file = await cacheFile()
    const text = await readFile(file, 'utf8')
    const broken = [
      '',
      'x',
      text.slice(0, -1),
      text.slice(1),
      text.replace(/^[0-9a-f]{8}/m, '00000000'),
    ]
    for (const content of broken) {
      await writeFile(file, content)
      const { keys, read } = await hash()
      expect(read).toBe(4)
      expect(keys[0]).toBe(sha256('A'))
      expect(await readFile(file, 'utf8')).toBe(text)
    }
  })

  it('are saved on an abort', async () => {
    const names = Array.from({ length: 200 }, (_, n) => `f${n}.png`)
    const root = await makeTree(Object.fromEntries(names.map((name) => [name, name])))
    const files = names.map((name) => ({ name, path: join(root, name) }))
    const cacheDir = await makeFolder()
    const controller = new AbortController()
    const aborted = hashFiles(files, {
      root,
      cacheDir,
      signal: controller.signal,
      onProgress: (done) => done === 50 && controller.abort(),
    })
    expect((await failureOf(aborted)).code).toBe('INTERRUPTED')
    const { read } = await hashFiles(files, { root, cacheDir })
    expect(read).toBeGreaterThan(100)
    expect(read).toBeLessThanOrEqual(150)
  })

  it('that cannot be saved are worth a note only', async () => {
    const { root } = await setUp()
    const cacheDir = join(root, 'cat/a.png')
    const { notes } = await hashFiles([{ name: 'cat/b.png', path: join(root, 'cat/b.png') }], {
      root,
      cacheDir,
    })
    expect(notes[0]).toContain('could not remember')
  })
})

describe('remembered hashes of two tables over one folder', () => {
  const setUpTables = async (sizes: Readonly<Record<'a' | 'b', number>>) => {
    const namesOf = (table: 'a' | 'b') =>
      Array.from({ length: sizes[table] }, (_, i) => `${table}${i}.png`)
    const names = [...namesOf('a'), ...namesOf('b')]
    const root = await makeTree(Object.fromEntries(names.map((name) => [name, name])))
    const cacheDir = await makeFolder()
    const read = async (table: 'a' | 'b'): Promise<number> => {
      const files = namesOf(table).map((name) => ({ name, path: join(root, name) }))
      return (await hashFiles(files, { root, cacheDir })).read
    }
    const remembered = async (): Promise<string> =>
      readFile(join(cacheDir, (await readdir(cacheDir))[0] ?? ''), 'utf8')
    return { root, read, remembered }
  }

  it.each([
    [5, 5],
    [1, 40],
  ])('of %i and %i files make indexing them in turn read no file', async (a, b) => {
    const { read } = await setUpTables({ a, b })
    expect([await read('a'), await read('b')]).toEqual([a, b])
    for (let round = 0; round < 2; round += 1)
      expect([await read('a'), await read('b')]).toEqual([0, 0])
  })

  it('stay while one of them changes', async () => {
    const { root, read } = await setUpTables({ a: 1, b: 40 })
    await read('a')
    await read('b')
    await writeTree(root, { 'a0.png': 'another content' })
    expect([await read('a'), await read('b')]).toEqual([1, 0])
  })

  it('are forgotten once their files are gone and are the most', async () => {
    const { root, read, remembered } = await setUpTables({ a: 1, b: 3 })
    await read('b')
    for (const name of ['b0.png', 'b1.png']) await rm(join(root, name))
    await read('a')
    expect((await remembered()).match(/"\w+\.png"/g)?.sort()).toEqual(['"a0.png"', '"b2.png"'])
  })
})

describe('hashing', () => {
  it('reports progress, and a file that vanished', async () => {
    const { root, cacheDir, hash } = await setUp()
    const seen: number[] = []
    await hash({ onProgress: (done) => seen.push(done) })
    expect(seen).toEqual([1, 2, 3, 4])
    const gone = hashFiles([{ name: 'gone', path: join(root, 'gone') }], { root, cacheDir })
    expect((await failureOf(gone)).code).toBe('DATASET_CHANGED')
  })

  it('streams files that are larger than a chunk', async () => {
    const big = Buffer.alloc(3 * 2 ** 20 + 17, 7)
    const root = await makeTree({ 'big.png': big })
    const file = { name: 'big.png', path: join(root, 'big.png') }
    const { keys } = await hashFiles([file], { root, cacheDir: await makeFolder() })
    expect(keys).toEqual([sha256(big)])
    expect((await stat(file.path)).size).toBe(big.length)
  })
})
