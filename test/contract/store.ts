// Owns what every store adapter must do. Each adapter's test runs this suite on the real thing.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import { sha256 } from '../../src/identity/hash.js'
import type { ListedObject, Store } from '../../src/store/port.js'

export interface StoreUnderTest {
  readonly store: Store
  /** Changes an object behind the store's back; the recorded SHA-256 stays. */
  tamper(key: string, change: (content: Uint8Array) => Uint8Array): Promise<void>
  /** Removes the recorded SHA-256; the object stays. */
  forget(key: string): Promise<void>
  dispose(): Promise<void>
}

const MEBIBYTE = 2 ** 20
const RACERS = 32

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (content: Uint8Array | null): string | null =>
  content === null ? null : new TextDecoder().decode(content)

const listAll = async (store: Store, prefix: string): Promise<ListedObject[]> => {
  const found: ListedObject[] = []
  for await (const object of store.list(prefix)) found.push(object)
  return found
}

const listKeys = async (store: Store, prefix: string): Promise<string[]> =>
  (await listAll(store, prefix)).map(({ key }) => key)

const failing = (code: string) => expect.objectContaining({ name: 'HeadstartError', code })

const countOutcomes = (outcomes: readonly PromiseSettledResult<unknown>[]) => {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) {
    const reason: unknown = outcome.status === 'rejected' ? outcome.reason : null
    const word =
      outcome.status === 'fulfilled'
        ? String(outcome.value)
        : isHeadstartError(reason)
          ? reason.code
          : String(reason)
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

/** Adds one to a counter by compare-and-swap, again and again until nobody was faster. */
const increment = async (store: Store, key: string): Promise<void> => {
  for (;;) {
    const seen = await store.head(key)
    const count = Number(text(await store.get(key)) ?? '0')
    try {
      await store.replace(key, bytes(String(count + 1)), seen?.version ?? null)
      return
    } catch (error) {
      if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
    }
  }
}

export const HOSTILE_KEYS: readonly string[] = [
  '',
  '.',
  '..',
  '/',
  '/etc/passwd',
  'a/',
  '/a',
  'a//b',
  '../a',
  'a/../b',
  'a/..',
  'a/./b',
  '.tmp/a',
  'a.sha256',
  'a.sha256/b',
  'a b',
  'a\\b',
  'a\0b',
  'a\nb',
  'a?b',
  'a%2e%2e/b',
  'ä',
  'a:b',
  '~',
  'x'.repeat(241),
  `${'x/'.repeat(450)}x`,
]

/** The conformance suite of the store port. */
export const storeContract = (name: string, makeStore: () => Promise<StoreUnderTest>): void => {
  describe(`store contract: ${name}`, () => {
    let subject: StoreUnderTest
    let store: Store
    /** A folder of the test's own within the store. */
    const unique = () => `t-${randomUUID()}`

    beforeAll(async () => {
      subject = await makeStore()
      store = subject.store
    })
    afterAll(async () => {
      await store?.close()
      await subject?.dispose()
    })

    describe('put if absent', () => {
      it('creates an object that reads back', async () => {
        const key = `${unique()}/deep/er/object.bin`
        expect(await store.putIfAbsent(key, bytes('hello'))).toBe('created')
        expect(text(await store.get(key))).toBe('hello')
      })

      it('takes equal content as success', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('same'))
        expect(await store.putIfAbsent(key, bytes('same'))).toBe('exists')
      })

      it('refuses other content and keeps the first', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('first'))
        await expect(store.putIfAbsent(key, bytes('other'))).rejects.toEqual(
          failing('STORE_CONFLICT'),
        )
        expect(text(await store.get(key))).toBe('first')
      })

      it('stores an empty object', async () => {
        const key = `${unique()}/empty`
        expect(await store.putIfAbsent(key, new Uint8Array())).toBe('created')
        expect(await store.get(key)).toHaveLength(0)
        expect((await store.head(key))?.bytes).toBe(0)
      })

      it(`has one creator when ${RACERS} writers race with equal content`, async () => {
        const key = `${unique()}/raced`
        const content = bytes('x'.repeat(100_000))
        const outcomes = await Promise.allSettled(
          Array.from({ length: RACERS }, () => store.putIfAbsent(key, content)),
        )
        expect(countOutcomes(outcomes)).toEqual({ created: 1, exists: RACERS - 1 })
        expect(await store.get(key)).toEqual(content)
      })

      it(`has one winner when ${RACERS} writers race with different content`, async () => {
        const key = `${unique()}/raced`
        const outcomes = await Promise.allSettled(
          Array.from({ length: RACERS }, (_, writer) =>
            store.putIfAbsent(key, bytes(`${writer} `.repeat(10_000))),
          ),
        )
        expect(countOutcomes(outcomes)).toEqual({ created: 1, STORE_CONFLICT: RACERS - 1 })
        const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
        expect(text(await store.get(key))).toBe(`${winner} `.repeat(10_000))
      })

      it('keeps 64 MiB byte for byte', async () => {
        const key = `${unique()}/large`
        const content = new Uint8Array(64 * MEBIBYTE)
        for (let at = 0; at < content.length; at += 4096) content[at] = at / 4096
        expect(await store.putIfAbsent(key, content)).toBe('created')
        const info = await store.head(key)
        expect(info).toMatchObject({ bytes: content.length, sha256: sha256(content) })
        const read = await store.get(key)
        expect(read !== null && Buffer.compare(read, content)).toBe(0)
      })
    })

    describe('reading', () => {
      it('answers null for what is not there', async () => {
        const key = `${unique()}/a`
        expect(await store.get(key)).toBeNull()
        expect(await store.head(key)).toBeNull()
        expect(await store.getRange(key, 0, 1)).toBeNull()
        expect(await store.getRange(key, 0, 0)).toBeNull()
      })

      it('answers null for a folder of objects', async () => {
        const folder = unique()
        await store.putIfAbsent(`${folder}/a`, bytes('a'))
        expect(await store.get(folder)).toBeNull()
        expect(await store.head(folder)).toBeNull()
        expect(await store.getRange(folder, 0, 1)).toBeNull()
      })

      it('answers null below an object', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('a'))
        expect(await store.get(`${key}/b`)).toBeNull()
        expect(await store.head(`${key}/b`)).toBeNull()
      })

      it('tells length, SHA-256 and version', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('hello'))
        const info = await store.head(key)
        expect(info).toMatchObject({ key, bytes: 5, sha256: sha256('hello') })
        expect(info?.version).not.toBe('')
        expect(await store.head(key)).toEqual(info)
      })

      it.each([
        ['inside', 2, 3, '234'],
        ['at the start', 0, 4, '0123'],
        ['over the end', 7, 10, '789'],
        ['the whole', 0, 10, '0123456789'],
        ['at the end', 10, 5, ''],
        ['past the end', 50, 5, ''],
        ['of no length', 3, 0, ''],
      ])('reads a range %s', async (_where, start, length, expected) => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('0123456789'))
        expect(text(await store.getRange(key, start, length))).toBe(expected)
      })

      it.each([
        [-1, 1],
        [0, -1],
        [0.5, 1],
        [0, Number.NaN],
      ])('refuses the range %d, %d', async (start, length) => {
        await expect(store.getRange('a/b', start, length)).rejects.toEqual(
          failing('REQUEST_INVALID'),
        )
      })

      it('gives memory that a caller may change', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('abc'))
        const first = await store.get(key)
        first?.slice().fill(0)
        expect(text(first)).toBe('abc')
        first?.fill(0)
        expect(text(await store.get(key))).toBe('abc')
      })
    })

    describe('integrity', () => {
      const flip = (content: Uint8Array): Uint8Array =>
        content.map((byte, at) => (at === 3 ? byte ^ 1 : byte))

      it('refuses an object with one changed bit, naming it', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('some content'))
        await subject.tamper(key, flip)
        await expect(store.get(key)).rejects.toEqual(failing('STORE_CORRUPT'))
        await expect(store.get(key)).rejects.toThrow(key)
      })

      it('refuses a truncated object', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('some content'))
        await subject.tamper(key, (content) => content.subarray(0, 4))
        await expect(store.get(key)).rejects.toEqual(failing('STORE_CORRUPT'))
      })

      it('refuses an object whose SHA-256 was not recorded', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('some content'))
        await subject.forget(key)
        await expect(store.get(key)).rejects.toEqual(failing('STORE_CORRUPT'))
        await expect(store.head(key)).rejects.toEqual(failing('STORE_CORRUPT'))
      })

      it('records the SHA-256 again when equal content is written', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('some content'))
        await subject.forget(key)
        await expect(store.putIfAbsent(key, bytes('other content'))).rejects.toEqual(
          failing('STORE_CONFLICT'),
        )
        expect(await store.putIfAbsent(key, bytes('some content'))).toBe('exists')
        expect(text(await store.get(key))).toBe('some content')
      })
    })

    describe('replace', () => {
      it('creates with no seen version, and only once', async () => {
        const key = `${unique()}/a`
        const info = await store.replace(key, bytes('one'), null)
        expect(info).toMatchObject({ key, bytes: 3, sha256: sha256('one') })
        expect(await store.head(key)).toEqual(info)
        await expect(store.replace(key, bytes('two'), null)).rejects.toEqual(
          failing('STORE_CONFLICT'),
        )
        expect(text(await store.get(key))).toBe('one')
      })

      it('replaces the version that was seen', async () => {
        const key = `${unique()}/a`
        const one = await store.replace(key, bytes('one'), null)
        const two = await store.replace(key, bytes('two and more'), one.version)
        expect(two.version).not.toBe(one.version)
        expect(await store.head(key)).toEqual(two)
        expect(text(await store.get(key))).toBe('two and more')
      })

      it('refuses a version that is gone', async () => {
        const key = `${unique()}/a`
        const one = await store.replace(key, bytes('one'), null)
        await store.replace(key, bytes('two'), one.version)
        await expect(store.replace(key, bytes('three'), one.version)).rejects.toEqual(
          failing('STORE_CONFLICT'),
        )
        expect(text(await store.get(key))).toBe('two')
      })

      it('refuses to replace what was deleted', async () => {
        const key = `${unique()}/a`
        const one = await store.replace(key, bytes('one'), null)
        await store.delete(key)
        await expect(store.replace(key, bytes('two'), one.version)).rejects.toEqual(
          failing('STORE_CONFLICT'),
        )
        expect(await store.get(key)).toBeNull()
      })

      it('has one winner among writers that saw the same version, also with equal content', async () => {
        const key = `${unique()}/a`
        const { version } = await store.replace(key, bytes('one'), null)
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, () =>
            store.replace(key, bytes('two'), version).then(() => 'replaced'),
          ),
        )
        expect(countOutcomes(outcomes)).toEqual({ replaced: 1, STORE_CONFLICT: 7 })
      })

      it('loses none of 10 increments made at once', async () => {
        const key = `${unique()}/counter`
        await Promise.all(Array.from({ length: 10 }, () => increment(store, key)))
        expect(text(await store.get(key))).toBe('10')
      })
    })

    describe('listing', () => {
      it('lists more than a page, sorted, with lengths', async () => {
        const folder = unique()
        const keys = Array.from({ length: 1_234 }, (_, n) => `${folder}/${sha256(String(n))}`)
        for (let from = 0; from < keys.length; from += 50) {
          await Promise.all(
            keys.slice(from, from + 50).map((key) => store.putIfAbsent(key, bytes('abc'))),
          )
        }
        const found = await listAll(store, `${folder}/`)
        expect(found.map(({ key }) => key)).toEqual(keys.toSorted())
        expect(found.every((object) => object.bytes === 3)).toBe(true)
        expect(Math.abs(Date.now() - (found[0]?.modifiedMs ?? 0))).toBeLessThan(600_000)
      })

      it('sorts by the whole key, whatever the folders', async () => {
        const folder = unique()
        const names = [
          'a/b',
          'a.b',
          'a-b',
          'a0',
          'a/b.c/d',
          'aa/z',
          'B',
          '_',
          'a/.hidden',
          'b/c/d/e',
        ]
        const keys = names.map((key) => `${folder}/${key}`)
        for (const key of keys) await store.putIfAbsent(key, bytes(key))
        expect(await listKeys(store, folder)).toEqual(keys.toSorted())
        expect(await listKeys(store, `${folder}/`)).toEqual(keys.toSorted())
      })

      it('takes a prefix that ends within a segment', async () => {
        const folder = unique()
        for (const key of ['ab/1', 'abc/2', 'abd', 'b', 'a']) {
          await store.putIfAbsent(`${folder}/${key}`, bytes(key))
        }
        expect(await listKeys(store, `${folder}/ab`)).toEqual(
          ['ab/1', 'abc/2', 'abd'].map((key) => `${folder}/${key}`),
        )
        expect(await listKeys(store, `${folder}/ab/`)).toEqual([`${folder}/ab/1`])
        expect(await listKeys(store, `${folder}/abd`)).toEqual([`${folder}/abd`])
        expect(await listKeys(store, `${folder}/x`)).toEqual([])
        expect(await listKeys(store, `${folder}/x/y/`)).toEqual([])
      })

      it('lists everything for the empty prefix', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('a'))
        const keys = await listKeys(store, '')
        expect(keys).toContain(key)
        expect(keys).toEqual(keys.toSorted())
      })
    })

    describe('deletion', () => {
      it('removes an object, so that other content may be written', async () => {
        const key = `${unique()}/a`
        await store.putIfAbsent(key, bytes('one'))
        await store.delete(key)
        expect(await store.get(key)).toBeNull()
        expect(await store.head(key)).toBeNull()
        expect(await listKeys(store, key)).toEqual([])
        expect(await store.putIfAbsent(key, bytes('two'))).toBe('created')
        expect(text(await store.get(key))).toBe('two')
      })

      it('takes deleting what is not there as success', async () => {
        await expect(store.delete(`${unique()}/a`)).resolves.toBeUndefined()
      })
    })

    const labelled = HOSTILE_KEYS.map((key) => [JSON.stringify(key.slice(0, 20)), key] as const)
    it.each(labelled)('refuses the key %s everywhere', async (_label, key) => {
      const refused = failing('STORE_KEY_INVALID')
      await expect(store.putIfAbsent(key, bytes('x'))).rejects.toEqual(refused)
      await expect(store.replace(key, bytes('x'), null)).rejects.toEqual(refused)
      await expect(store.get(key)).rejects.toEqual(refused)
      await expect(store.getRange(key, 0, 1)).rejects.toEqual(refused)
      await expect(store.head(key)).rejects.toEqual(refused)
      await expect(store.delete(key)).rejects.toEqual(refused)
      if (key !== '' && key !== 'a/') {
        await expect(listAll(store, key)).rejects.toEqual(refused)
      }
    })
  })
}
