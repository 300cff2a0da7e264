import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import { assertStoreKey, assertStorePrefix, isStoreKey } from '../../src/store/key.js'
import { HOSTILE_KEYS } from '../contract/store.js'

const goodSegment = fc
  .stringMatching(/^[A-Za-z0-9._-]{1,40}$/)
  .filter((segment) => segment !== '.' && segment !== '..' && !segment.endsWith('.sha256'))
const goodKey = fc
  .array(goodSegment, { minLength: 1, maxLength: 8 })
  .filter(([first]) => first !== '.tmp')
  .map((segments) => segments.join('/'))
/** Texts near the border: parts of paths in any order. */
const pathLike = fc
  .array(fc.constantFrom('a', '.', '..', '/', '\\', '.tmp', '.sha256', '\0', ' ', '%2e', '-', 'é'))
  .map((parts) => parts.join(''))

describe('store keys', () => {
  it('accepts every key of good segments, and every beginning that ends at or within one', () => {
    fc.assert(
      fc.property(goodKey, fc.nat(), (key, cut) => {
        assertStoreKey(key)
        assertStorePrefix(key)
        assertStorePrefix(`${key}/`)
        expect(isStoreKey(`${key}/x`)).toBe(true)
        const segments = key.split('/')
        assertStorePrefix(segments.slice(0, cut % segments.length).join('/'))
      }),
    )
  })

  it('accepts nothing that leaves its folder or is another path than it says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), pathLike), (text) => {
        if (!isStoreKey(text)) return
        expect(path.posix.normalize(text)).toBe(text)
        expect(path.win32.normalize(text).replaceAll('\\', '/')).toBe(text)
        expect(path.posix.resolve('/root', text)).toBe(`/root/${text}`)
        expect(encodeURI(text)).toBe(text)
        expect(text.endsWith('.sha256')).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  it('accepts no prefix under which only keys outside lie', () => {
    fc.assert(
      fc.property(pathLike, (text) => {
        try {
          assertStorePrefix(text)
        } catch (error) {
          expect(isHeadstartError(error, 'STORE_KEY_INVALID')).toBe(true)
          return
        }
        expect(isStoreKey(`${text}x`)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  const labelled = HOSTILE_KEYS.map((key) => [JSON.stringify(key.slice(0, 20)), key] as const)
  it.each(labelled)('refuses %s', (_label, key) => {
    expect(() => assertStoreKey(key)).toThrow(
      expect.objectContaining({ code: 'STORE_KEY_INVALID' }),
    )
  })

  it('has room for a segment of 240 and a key of 900 characters', () => {
    assertStoreKey('x'.repeat(240))
    assertStoreKey(`${'x/'.repeat(449)}xx`)
  })

  it('shows only the beginning of a very long key', () => {
    const message = (() => {
      try {
        assertStoreKey('x'.repeat(100_000))
        return ''
      } catch (error) {
        return String(error)
      }
    })()
    expect(message.length).toBeLessThan(300)
  })
})
