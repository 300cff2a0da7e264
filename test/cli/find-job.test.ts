import { describe, expect, it } from 'vitest'
import { findJob, findJobs } from '../../src/cli/find-job.js'
import type { JobFilter, JobView } from '../../src/queue/types.js'
import { jobOf, serviceOf } from './service/support.js'

const idOf = (kind: string, start: string): string => `${kind}-${start.padEnd(64, '0')}`
const training = jobOf(idOf('training', '4f2a'))
const extraction = jobOf(idOf('extraction', '4f2b'))
const shard: JobView = { ...jobOf(idOf('shard', 'aa')), kind: 'shard' }
const all = [training, extraction, shard]

const service = serviceOf({
  getJob: async (id) => all.find((job) => job.id === id) ?? null,
  listJobs: async ({ kind }: JobFilter = {}) =>
    all.filter((job) => (kind === undefined ? job.kind !== 'shard' : job.kind === kind)),
})

describe('a job', () => {
  it.each([
    ['its id', training.id, training],
    ['the start of its id', 'training-4', training],
    ['the start of its hash', '4f2b', extraction],
    ['the start of the hash of a shard', 'aa', shard],
    ['the start of the id of a shard', 'shard-a', shard],
  ])('is found by %s', async (_, reference, job) => {
    expect(await findJob(service, reference)).toBe(job)
  })

  it('is not guessed when two begin so', async () => {
    await expect(findJob(service, '4f2')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      details: ['training-4f2a00000000', 'extraction-4f2b00000000'],
    })
  })

  it.each(['', 'none', 'training-ff', idOf('training', 'ff')])('is not found by %j', (reference) =>
    expect(findJob(service, reference)).rejects.toMatchObject({ code: 'NOT_FOUND' }),
  )

  it('that is named twice is one job', async () => {
    expect(await findJobs(service, ['4f2a', '4f2b', training.id])).toEqual([training, extraction])
  })
})
