import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import {
  extractionJobId,
  JOB_KINDS,
  kindOfJobId,
  PAYLOAD_SCHEMAS,
  PAYLOAD_VERSION,
  queueNamesOf,
  shardJobId,
  trainingJobId,
} from '../../src/queue/jobs.js'

describe('job ids', () => {
  it('say their kind, and are the same for the same work only', () => {
    const [sweep, other] = [sha256('a'), sha256('b')]
    const ids = [
      extractionJobId(sha256('a')),
      extractionJobId(sha256('b')),
      shardJobId('features/x/y.arrow'),
      trainingJobId(sweep, { maxQuarantine: 0 }),
      trainingJobId(sweep, { maxQuarantine: 0.1 }),
      trainingJobId(sweep, { name: 'name', maxQuarantine: 0 }),
      trainingJobId(other, { name: 'name', maxQuarantine: 0 }),
    ]
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.map(kindOfJobId)).toEqual([
      'extraction',
      'extraction',
      'shard',
      'training',
      'training',
      'training',
      'training',
    ])
    expect(trainingJobId(sweep, { name: 'name', maxQuarantine: 0 })).toBe(ids[5])
  })

  it('are told from any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => kindOfJobId(text) === null))
    for (const text of ['extraction-', `extraction-${'A'.repeat(64)}`, `gc-${'a'.repeat(64)}`])
      expect(kindOfJobId(text)).toBeNull()
  })

  it('have no colon and are not numbers, which BullMQ keeps for itself', () => {
    for (const id of [
      extractionJobId(sha256('a')),
      shardJobId('a:b'),
      trainingJobId(sha256('a'), { name: 'a:b', maxQuarantine: 0 }),
    ])
      expect(id).toMatch(/^[a-z]+-[0-9a-f]{64}$/)
  })
})

describe('payloads', () => {
  it('of each kind are refused with another version or a key too many', () => {
    const extraction = {
      version: PAYLOAD_VERSION,
      extractorId: sha256('e'),
      datasetId: sha256('d'),
      content: '/data',
    }
    const schema = PAYLOAD_SCHEMAS.extraction
    expect(schema.safeParse(extraction).success).toBe(true)
    expect(schema.safeParse({ ...extraction, version: PAYLOAD_VERSION + 1 }).success).toBe(false)
    expect(schema.safeParse({ ...extraction, password: 'x' }).success).toBe(false)
    for (const kind of JOB_KINDS) expect(PAYLOAD_SCHEMAS[kind].safeParse({}).success).toBe(false)
  })

  it('wait in queues that no two kinds share', () => {
    const names = JOB_KINDS.flatMap(queueNamesOf)
    expect(new Set(names).size).toBe(names.length)
  })
})
