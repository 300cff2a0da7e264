import { describe, expect, it } from 'vitest'
import {
  judgeLatency,
  judgeMode,
  judgePersistence,
  judgePolicy,
  judgeVersion,
  parseInfo,
} from '../../src/queue/doctor-redis-judge.js'

const version = (text: string) => judgeVersion(parseInfo(`redis_version:${text}`)).status

describe('what a Redis must be like', () => {
  it('reads INFO', () => {
    const info = parseInfo('# Server\r\nredis_version:7.0.15\r\nos:Linux: any\r\n\r\n# Memory\r\n')
    expect([...info]).toEqual([
      ['redis_version', '7.0.15'],
      ['os', 'Linux: any'],
    ])
  })

  it('is 6.2 or later', () => {
    expect(['5.0.14', '6.0.16', '6.2.0', '7.0.15', '10.0.1'].map(version)).toEqual([
      'failed',
      'failed',
      'ok',
      'ok',
      'ok',
    ])
    expect(judgeVersion(parseInfo('redis_version:7.2.4\nvalkey_version:8.1.1'))).toEqual({
      status: 'ok',
      seen: 'Valkey 8.1.1',
      mend: null,
    })
  })

  it('is one server', () => {
    expect(judgeMode('standalone').status).toBe('ok')
    expect(judgeMode('cluster').status).toBe('failed')
    expect(judgeMode('sentinel').status).toBe('failed')
  })

  it('evicts nothing', () => {
    expect(judgePolicy('noeviction').status).toBe('ok')
    for (const policy of ['allkeys-lru', 'volatile-ttl', 'allkeys-random'])
      expect(judgePolicy(policy)).toMatchObject({
        status: 'failed',
        seen: expect.stringContaining(policy),
        mend: expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
      })
  })

  it('writes an append-only file', () => {
    expect(judgePersistence('yes', 'everysec').status).toBe('ok')
    expect(judgePersistence('yes', undefined)).toMatchObject({ status: 'ok' })
    expect(judgePersistence('yes', 'no').status).toBe('warning')
    expect(judgePersistence('no', 'everysec')).toMatchObject({
      status: 'warning',
      mend: expect.stringContaining('appendonly yes'),
    })
  })

  it('is near', () => {
    expect([0.3, 49, 51].map((ms) => judgeLatency(ms).status)).toEqual(['ok', 'ok', 'warning'])
  })

  it('is a warning, and no guess, where it could not be asked', () => {
    const findings = [
      judgeVersion(parseInfo('')),
      judgeMode(undefined),
      judgePolicy(undefined),
      judgePersistence(undefined, undefined),
    ]
    for (const finding of findings)
      expect(finding).toMatchObject({
        status: 'warning',
        seen: expect.stringContaining('could not be asked'),
      })
  })
})
