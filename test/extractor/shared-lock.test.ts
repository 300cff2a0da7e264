import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createSharedLock } from '../../src/extractor/shared-lock.js'

describe('a shared lock', () => {
  it('runs shared work side by side and exclusive work alone, and loses none', async () => {
    const lock = createSharedLock()
    let [shared, alone, mostShared] = [0, 0, 0]
    const work = async (i: number): Promise<number> => {
      await nextTurn()
      if (i % 7 === 0)
        await lock.exclusive(async () => {
          alone += 1
          expect([shared, alone]).toEqual([0, 1])
          await nextTurn()
          alone -= 1
        })
      return lock.shared(async () => {
        shared += 1
        mostShared = Math.max(mostShared, shared)
        expect(alone).toBe(0)
        await nextTurn()
        shared -= 1
        return i
      })
    }
    const all = Array.from({ length: 50 }, (_, i) => i)
    expect(await Promise.all(all.map(work))).toEqual(all)
    expect(mostShared).toBeGreaterThan(1)
  })

  it('goes on after work that failed', async () => {
    const lock = createSharedLock()
    const fail = () => Promise.reject(new Error('failed'))
    await expect(lock.shared(fail)).rejects.toThrow('failed')
    await expect(lock.exclusive(fail)).rejects.toThrow('failed')
    expect(await lock.exclusive(async () => 1)).toBe(1)
    expect(await lock.shared(async () => 2)).toBe(2)
  })
})
