// The record of a sweep: kept once, found again, its identity.
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import { listSweepIds, loadSweep, saveSweep, sweepIdOf } from '../../src/model/sweep-record.js'
import { fileStore } from './records.js'
import { sweepOf } from './sweeps.js'

const REQUEST = {
  runKeys: [sha256('a'), sha256('b')],
  select: { metric: 'accuracy', higherIsBetter: true },
  folds: null,
  halving: null,
} as const

describe('a sweep', () => {
  it('comes back as it was saved', async () => {
    const store = await fileStore()
    const sweep = sweepOf()
    expect(await loadSweep(store, sweep.sweepId)).toBeNull()
    expect(await saveSweep(store, sweep)).toEqual(sweep)
    expect(await loadSweep(store, sweep.sweepId)).toEqual(sweep)
    expect(await listSweepIds(store)).toEqual([sweep.sweepId])
  })

  it('that exists stays: its test split was read', async () => {
    const store = await fileStore()
    const first = await saveSweep(store, sweepOf())
    const later = { ...sweepOf(), createdAt: '2027-01-01T00:00:00.000Z' }
    expect(await saveSweep(store, later)).toEqual(first)
    await Promise.all([saveSweep(store, later), saveSweep(store, later)])
    expect(await loadSweep(store, first.sweepId)).toEqual(first)
  })

  it('is what was trained, in any order, and how the best was chosen', () => {
    const sweepId = sweepIdOf(REQUEST)
    expect(sweepIdOf({ ...REQUEST, runKeys: [...REQUEST.runKeys].reverse() })).toBe(sweepId)
    for (const other of [
      { runKeys: [sha256('a')] },
      { select: { metric: 'loss', higherIsBetter: false } as const },
      { folds: 5 },
      { halving: { epochs: 2, factor: 3 } },
    ])
      expect(sweepIdOf({ ...REQUEST, ...other })).not.toBe(sweepId)
  })
})
