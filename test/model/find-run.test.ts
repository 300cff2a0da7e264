import { beforeAll, describe, expect, it } from 'vitest'
import { findRun } from '../../src/model/find-run.js'
import { publishRun, type RunRecord } from '../../src/model/run-record.js'
import { setName } from '../../src/store/names.js'
import type { Store } from '../../src/store/port.js'
import { failureOf } from '../dataset/support.js'
import { fileStore, recordOf } from './records.js'

const ID = {
  first: 'abcdef12'.padEnd(64, '0'),
  second: 'abcdef99'.padEnd(64, '0'),
  third: '0123456789'.padEnd(64, 'f'),
}
let store: Store

beforeAll(async () => {
  store = await fileStore()
  for (const runId of Object.values(ID)) await publishRun(store, recordOf({ runId }))
  await setName(store, 'run', 'emoji-linear', { runId: ID.third })
  await setName(store, 'run', 'abcdef', { runId: ID.second })
  await setName(store, 'run', 'removed', { runId: '9'.repeat(64) })
  // A training that has written its head and not yet its record.
  await store.putIfAbsent(`runs/${'77'.repeat(32)}/head/x.bin`, new Uint8Array(4))
})

const idOf = async (reference: string): Promise<RunRecord['runId']> =>
  (await findRun(store, reference)).runId

describe('a run is found', () => {
  it('by name, id, and the start of one id in either case', async () => {
    expect(await idOf('emoji-linear')).toBe(ID.third)
    expect(await idOf(ID.first)).toBe(ID.first)
    expect(await idOf('012345')).toBe(ID.third)
    expect(await idOf('ABCDEF1')).toBe(ID.first)
  })

  it('by a name that looks like the start of an id', async () => {
    expect(await idOf('abcdef')).toBe(ID.second)
  })
})

describe('a run is not found', () => {
  it('when several ids begin so: all are listed', async () => {
    await publishRun(store, recordOf({ runId: ID.third.replace('9', '8') }))
    const error = await failureOf(findRun(store, '01234567'))
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', message: '2 runs begin with 01234567' })
    expect(error.details).toEqual([`run ${ID.third.replace('9', '8')}`, `run ${ID.third}`])
  })

  it('when nothing is called so: near names and what exists are said', async () => {
    const error = await failureOf(findRun(store, 'emoji-liner'))
    expect(error.code).toBe('NOT_FOUND')
    expect(error.details[0]).toBe('name: emoji-linear')
    expect(error.details.some((detail) => detail.startsWith('id: '))).toBe(true)
  })

  it('when the start of an id is too short, unpublished, or no id at all', async () => {
    expect(await failureOf(findRun(store, 'abcde'))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/at least 6/) as unknown,
    })
    for (const reference of ['777777', '7'.repeat(64), '../run', '', 'x'.repeat(500), '__proto__'])
      expect(await failureOf(findRun(store, reference))).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('when the run of a name was removed', async () => {
    expect(await failureOf(findRun(store, 'removed'))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/was removed/) as unknown,
    })
  })

  it('when what its name points to is no run: the name is STORE_CORRUPT', async () => {
    await setName(store, 'run', 'damaged', { baseId: ID.first })
    const error = await failureOf(findRun(store, 'damaged'))
    expect(error.code).toBe('STORE_CORRUPT')
    expect(error.message).toContain('names/run/damaged.json')
  })

  it('in an empty store', async () => {
    expect(await failureOf(findRun(await fileStore(), 'anything'))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no run is published/) as unknown,
    })
  })
})
