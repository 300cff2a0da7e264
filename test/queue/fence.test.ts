import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFence } from '../../src/queue/fence.js'

const LOCK_MS = 30_000
/** 0.8 of the lock. */
const FENCE_MS = 24_000

describe('the fence of a job', () => {
  it('stands as long as renewals come, and falls before the lock ends', () => {
    let now = 0
    const fence = createFence(LOCK_MS, 0, () => now)
    for (let i = 0; i < 100; i += 1) {
      now += FENCE_MS
      expect(fence.isLost).toBe(false)
      fence.renewed()
    }
    now += FENCE_MS + 1
    expect(fence.isLost).toBe(true)
  })

  it('stays down: a renewal that comes too late does not lift it', () => {
    let now = 0
    const fence = createFence(LOCK_MS, 0, () => now)
    now = FENCE_MS + 1
    fence.renewed()
    expect(fence.isLost).toBe(true)
    fence.renewed()
    expect(fence.isLost).toBe(true)
  })

  it('falls at once when the server refuses', () => {
    const fence = createFence(LOCK_MS, 0, () => 0)
    fence.lost()
    fence.renewed()
    expect(fence.isLost).toBe(true)
  })

  it('is lost if and only if some gap between renewals was too long', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 * FENCE_MS })), (gaps) => {
        let now = 0
        const fence = createFence(LOCK_MS, 0, () => now)
        for (const gap of gaps) {
          now += gap
          fence.renewed()
        }
        expect(fence.isLost).toBe(gaps.some((gap) => gap > FENCE_MS))
      }),
    )
  })
})
