import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import { withDiskCache } from '../../src/store/disk-cache.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { storeContract } from '../contract/store.js'

const KIB = 1024

storeContract('file behind a disk cache', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'headstart-cached-'))
  const store = path.join(root, 'store')
  return {
    store: withDiskCache(createFileStore(store), path.join(root, 'cache'), 2 ** 20),
    tamper: async (key, change) => {
      const file = path.join(store, key)
      await writeFile(file, change(await readFile(file)))
    },
    forget: (key) => rm(`${path.join(store, key)}.sha256`),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
})

describe('disk cache', () => {
  let root: string
  let cacheDir: string
  let store: Store
  /** Keys whose content was asked of the store behind the cache. */
  let fetched: string[]

  const open = (maxBytes: number): Store => withDiskCache(store, cacheDir, maxBytes)
  const content = (fill: number, length = KIB): Uint8Array => new Uint8Array(length).fill(fill)
  const cachedFile = (of: Uint8Array): string => path.join(cacheDir, sha256(of))

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'headstart-cache-'))
    cacheDir = path.join(root, 'cache')
    fetched = []
    const inner = createFileStore(path.join(root, 'store'))
    store = {
      ...inner,
      get: (key) => {
        fetched.push(key)
        return inner.get(key)
      },
    }
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  it.each(['features/a', 'bases/a/b', 'blobs/a'])('fetches %s once', async (key) => {
    const cached = open(100 * KIB)
    await cached.putIfAbsent(key, content(1))
    for (let count = 0; count < 3; count += 1) expect(await cached.get(key)).toEqual(content(1))
    expect(fetched).toEqual([key])
    expect(await readdir(cacheDir)).toEqual([sha256(content(1))])
  })

  it.each(['names/run/a.json', 'runs/a/run.json', 'feature-sets/a.json'])(
    'never keeps %s',
    async (key) => {
      const cached = open(100 * KIB)
      const one = await cached.replace(key, content(1), null)
      expect(await cached.get(key)).toEqual(content(1))
      await cached.replace(key, content(2), one.version)
      expect(await cached.get(key)).toEqual(content(2))
      expect(fetched).toEqual([key, key])
    },
  )

  it('shares equal content between keys and with other processes', async () => {
    await store.putIfAbsent('features/a', content(1))
    await store.putIfAbsent('features/b', content(1))
    await open(100 * KIB).get('features/a')
    expect(await open(100 * KIB).get('features/b')).toEqual(content(1))
    expect(fetched).toEqual(['features/a'])
  })

  it.each([
    ['changed', () => content(9)],
    ['truncated', () => content(1, 10)],
    ['emptied', () => new Uint8Array()],
  ])('drops a cached file that was %s and fetches anew', async (_how, broken) => {
    const cached = open(100 * KIB)
    await cached.putIfAbsent('features/a', content(1))
    await cached.get('features/a')
    await writeFile(cachedFile(content(1)), broken())
    expect(await cached.get('features/a')).toEqual(content(1))
    expect(fetched).toHaveLength(2)
    expect(new Uint8Array(await readFile(cachedFile(content(1))))).toEqual(content(1))
  })

  it('knows at once that an object was deleted', async () => {
    const cached = open(100 * KIB)
    await cached.putIfAbsent('features/a', content(1))
    await cached.get('features/a')
    await store.delete('features/a')
    expect(await cached.get('features/a')).toBeNull()
  })

  it('drops what was not used for longest', async () => {
    const cached = open(3 * KIB)
    for (const n of [1, 2, 3, 4]) await cached.putIfAbsent(`features/${n}`, content(n))
    for (const n of [1, 2, 3]) {
      await cached.get(`features/${n}`)
      await sleep(20)
    }
    await cached.get('features/1')
    await sleep(20)
    await cached.get('features/4')
    const kept = await readdir(cacheDir)
    expect(kept.toSorted()).toEqual([1, 3, 4].map((n) => sha256(content(n))).toSorted())
  })

  it('stays within its limit', async () => {
    const cached = open(10 * KIB)
    for (let n = 0; n < 60; n += 1) {
      await cached.putIfAbsent(`features/${n}`, content(n))
      expect(await cached.get(`features/${n}`)).toEqual(content(n))
      const sizes = (await readdir(cacheDir)).map((name) => stat(path.join(cacheDir, name)))
      const total = (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
      expect(total).toBeLessThanOrEqual(10 * KIB * (1 + 1 / 8))
    }
  })

  it('stays within its limit when many objects come at once', async () => {
    const cached = open(10 * KIB)
    for (let n = 0; n < 60; n += 1) await cached.putIfAbsent(`features/${n}`, content(n))
    await Promise.all(Array.from({ length: 60 }, (_, n) => cached.get(`features/${n}`)))
    const sizes = (await readdir(cacheDir)).map((name) => stat(path.join(cacheDir, name)))
    const total = (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
    expect(total).toBeLessThanOrEqual(10 * KIB * (1 + 1 / 8))
  })

  it('does not keep an object that is larger than the limit', async () => {
    const cached = open(KIB)
    await cached.putIfAbsent('features/a', content(1, 2 * KIB))
    expect(await cached.get('features/a')).toEqual(content(1, 2 * KIB))
    expect(await readdir(root)).toEqual(['store'])
  })

  it('goes on without a cache when its folder cannot be made', async () => {
    await writeFile(cacheDir, 'a file is in the way')
    const cached = open(100 * KIB)
    await cached.putIfAbsent('features/a', content(1))
    expect(await cached.get('features/a')).toEqual(content(1))
    expect(await cached.get('features/a')).toEqual(content(1))
    expect(fetched).toHaveLength(2)
  })

  it('serves many readers of one object at once', async () => {
    const cached = open(100 * KIB)
    await cached.putIfAbsent('features/a', content(1))
    const all = await Promise.all(Array.from({ length: 20 }, () => cached.get('features/a')))
    for (const one of all) expect(one).toEqual(content(1))
  })
})
