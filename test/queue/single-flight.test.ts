import { describe, expect, it } from 'vitest'
import { createSingleFlight } from '../../src/queue/single-flight.js'

describe('equal requests that arrive together', () => {
  it('are one piece of work; different ones are not, nor is a later one', async () => {
    const once = createSingleFlight()
    let count = 0
    const work = async (): Promise<number> => {
      count += 1
      await Promise.resolve()
      return count
    }
    const key = (b: number) => ['extraction', { a: 1, b }]
    const same = await Promise.all([once(key(1), work), once(['extraction', { b: 1, a: 1 }], work)])
    expect(same).toEqual([1, 1])
    await Promise.all([once(key(1), work), once(key(2), work)])
    expect(count).toBe(3)
  })

  it('share a failure, which is not remembered', async () => {
    const once = createSingleFlight()
    const fail = () => Promise.reject(new Error('away'))
    const both = await Promise.allSettled([once(['x'], fail), once(['x'], fail)])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await once(['x'], async () => 'there')).toBe('there')
  })
})
