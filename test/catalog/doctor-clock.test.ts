import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  checkHttpClock,
  judgeSkew,
  S3_SKEW_LIMITS,
  s3Address,
  skewOf,
} from '../../src/catalog/doctor-clock.js'
import { startMoto } from '../support/moto.js'

const LIMITS = { warningMs: 2_000, failedMs: 60_000, harm: 'nothing works' }

/** A question that took `tookMs`, answered by a server whose clock is `behindMs` behind ours. */
const reading = ({ behindMs = 0, tookMs = 0, stepMs = 0 }) => ({
  askedMs: 1_000_000,
  answeredMs: 1_000_000 + tookMs,
  serverMs: 1_000_000 + tookMs / 2 - stepMs / 2 - behindMs,
  stepMs,
})

describe('comparing clocks', () => {
  it('takes the middle of the question for the moment of the answer', () => {
    expect(skewOf(reading({ behindMs: 300, tookMs: 80 }))).toEqual({
      skewMs: 300,
      uncertaintyMs: 40,
    })
    expect(skewOf(reading({ behindMs: -300, stepMs: 1000 }))).toEqual({
      skewMs: -300,
      uncertaintyMs: 500,
    })
  })

  it.each([
    { behindMs: 0, status: 'ok', seen: 'within 0.0 s of this machine' },
    { behindMs: 1_900, status: 'ok', seen: 'this machine is 1.9 s ahead' },
    { behindMs: 2_100, status: 'warning', seen: 'this machine is 2.1 s ahead' },
    { behindMs: -59_000, status: 'warning', seen: 'this machine is 59.0 s behind' },
    { behindMs: -61_000, status: 'failed', seen: 'this machine is 61.0 s behind; nothing works' },
  ])('judges a skew of $behindMs ms: $status', ({ behindMs, status, seen }) => {
    expect(judgeSkew(reading({ behindMs }), LIMITS)).toMatchObject({ status, seen })
  })

  it('blames no clock for what a slow network explains', () => {
    expect(judgeSkew(reading({ behindMs: 2_900, tookMs: 6_000 }), LIMITS).status).toBe('ok')
    expect(judgeSkew(reading({ behindMs: 9_000, tookMs: 6_000 }), LIMITS).status).toBe('warning')
  })
})

describe('the clock of an HTTP server', () => {
  let server: Server | undefined
  afterEach(() => {
    server?.close()
  })

  const listen = async (date: string | null): Promise<string> => {
    server = createServer((_, response) => {
      response.sendDate = false
      if (date !== null) response.setHeader('date', date)
      response.writeHead(403).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it.each([
    { offMs: 0, status: 'ok' },
    { offMs: 5 * 60_000, status: 'warning' },
    { offMs: -5 * 60_000, status: 'warning' },
    { offMs: 20 * 60_000, status: 'failed' },
  ])('is $status when it is $offMs ms off, whatever it answers', async ({ offMs, status }) => {
    const url = await listen(new Date(Date.now() + offMs).toUTCString())
    expect(await checkHttpClock(url, S3_SKEW_LIMITS)).toMatchObject({ status })
  })

  it('is a warning where it cannot be known', async () => {
    const silent = await listen(null)
    const seen = (text: string) => ({ status: 'warning', seen: expect.stringContaining(text) })
    expect(await checkHttpClock(silent, S3_SKEW_LIMITS)).toMatchObject(seen('does not say'))
    const gone = 'http://127.0.0.1:1'
    expect(await checkHttpClock(gone, S3_SKEW_LIMITS)).toMatchObject(seen('could not be asked'))
  })

  it('is that of an S3 server', async () => {
    const moto = await startMoto()
    try {
      expect(await checkHttpClock(moto.endpoint, S3_SKEW_LIMITS)).toMatchObject({ status: 'ok' })
    } finally {
      await moto.stop()
    }
  })

  it('is asked at the endpoint of the store, or of the region in AWS', () => {
    expect(s3Address('http://host:9000', 'eu-central-1')).toBe('http://host:9000')
    expect(s3Address(undefined, 'eu-central-1')).toBe('https://s3.eu-central-1.amazonaws.com')
    expect(s3Address(undefined, undefined)).toBe('https://s3.us-east-1.amazonaws.com')
  })
})
