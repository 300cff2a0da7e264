import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createByteBudget } from '../../src/extract/byte-budget.js'

/** Asks for bytes and notes when they are given. */
const ask = (
  budget: ReturnType<typeof createByteBudget>,
  given: string[],
  name: string,
  n: number,
) =>
  budget.acquire(n).then((release) => {
    given.push(name)
    return release
  })

describe('a byte budget', () => {
  it('gives what fits at once, and the rest when it is released, in order', async () => {
    const budget = createByteBudget(10)
    const given: string[] = []
    const [a, b] = [ask(budget, given, 'a', 6), ask(budget, given, 'b', 4)]
    const c = ask(budget, given, 'c', 5)
    // Small enough for what is left, but behind c.
    const d = ask(budget, given, 'd', 1)
    await nextTurn()
    expect(given).toEqual(['a', 'b'])
    ;(await b)()
    await nextTurn()
    expect(given).toEqual(['a', 'b'])
    ;(await a)()
    ;(await c)()
    ;(await d)()
    expect(given).toEqual(['a', 'b', 'c', 'd'])
    expect(budget.used).toBe(0)
  })

  it('gives more than all of it alone, and is not stuck', async () => {
    const budget = createByteBudget(10)
    const given: string[] = []
    const small = await ask(budget, given, 'small', 1)
    const large = ask(budget, given, 'large', 1000)
    const after = ask(budget, given, 'after', 1)
    await nextTurn()
    expect(given).toEqual(['small'])
    small()
    const releaseLarge = await large
    await nextTurn()
    expect(given).toEqual(['small', 'large'])
    releaseLarge()
    ;(await after)()
    expect(budget.used).toBe(0)
  })

  it('takes bytes back once', async () => {
    const budget = createByteBudget(10)
    const [first, second] = [await budget.acquire(5), await budget.acquire(5)]
    first()
    first()
    expect(budget.used).toBe(5)
    second()
    expect(budget.used).toBe(0)
  })

  it('never gives out more than there is to many who ask at random', async () => {
    const budget = createByteBudget(100)
    let most = 0
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const release = await budget.acquire((i * 37) % 130)
        most = Math.max(most, budget.used)
        await nextTurn()
        release()
      }),
    )
    expect(most).toBeLessThanOrEqual(100)
    expect(budget.used).toBe(0)
  })
})
