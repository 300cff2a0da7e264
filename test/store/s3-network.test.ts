import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import type { Store } from '../../src/store/port.js'
import { createS3Store } from '../../src/store/s3.js'
import { type FaultProxy, startProxy } from '../support/fault-proxy.js'
import { until } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'

const TIMEOUT_MS = 2000
const CONTENT = new Uint8Array(randomBytes(300_000))
const HASH = sha256(CONTENT)
const KEYS = Array.from({ length: 8 }, (_, i) => `k${i}`)
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryable: true }

let moto: MotoServer
let proxy: FaultProxy
let store: Store

beforeAll(async () => {
  moto = await startMoto()
  const { hostname, port } = new URL(moto.endpoint)
  proxy = await startProxy({ target: { host: hostname, port: Number(port) } })
})
afterAll(async () => {
  await proxy?.close()
  await moto?.stop()
})
beforeEach(async () => {
  proxy.set(null)
  store = createS3Store({
    bucket: await moto.createBucket(),
    prefix: 'p',
    endpoint: `http://${proxy.host}:${proxy.port}`,
    requestTimeoutMs: TIMEOUT_MS,
    socketTimeoutMs: TIMEOUT_MS,
  })
})
afterEach(async () => {
  await store.close()
})

const readAll = (): Promise<string[]> =>
  Promise.all(
    KEYS.map(async (key) => {
      const content = await store.get(key)
      return content === null ? 'nothing' : sha256(content)
    }),
  )

describe('an S3 store on a bad network', () => {
  beforeEach(async () => {
    for (const key of KEYS) await store.putIfAbsent(key, CONTENT)
  })

  /** When all of the requests are under way, and when the first of them has come back. */
  // A download that broke off is begun three times: twice it may be cut.
  const cutTwice = async <T>(work: Promise<T>): Promise<T> => {
    let over = false
    const result = work.finally(() => {
      over = true
    })
    result.catch(() => undefined)
    for (const least of [KEYS.length, 1]) {
      await until(async () => over || proxy.open >= least)
      proxy.cut()
      await until(async () => over || proxy.open === 0)
    }
    return result
  }

  it('writes and reads through connections that are cut', async () => {
    const accepted = proxy.accepted
    const writing = KEYS.map((key) => store.putIfAbsent(`more/${key}`, CONTENT))
    const written = await cutTwice(Promise.all(writing))
    expect(written.every((answer) => answer === 'created' || answer === 'exists')).toBe(true)
    expect(await cutTwice(readAll())).toEqual(KEYS.map(() => HASH))
    expect(proxy.accepted).toBeGreaterThan(accepted + KEYS.length)
  })

  it('goes on after a split that was shorter than its patience', async () => {
    proxy.set({ kind: 'block' })
    setTimeout(() => proxy.set(null), 2 * TIMEOUT_MS)
    expect(await readAll()).toEqual(KEYS.map(() => HASH))
  })

  it('never takes a part for the whole, and gives up in bounded time', async () => {
    proxy.set({ kind: 'truncate', bytes: 100_000 })
    await expect(readAll()).rejects.toMatchObject(UNAVAILABLE)
    proxy.set({ kind: 'block' })
    await expect(readAll()).rejects.toMatchObject(UNAVAILABLE)
    proxy.set({ kind: 'reset' })
    await expect(store.putIfAbsent('new', CONTENT)).rejects.toMatchObject(UNAVAILABLE)
  })
})
