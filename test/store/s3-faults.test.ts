import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/identity/hash.js'
import type { Store } from '../../src/store/port.js'
import { createS3Store } from '../../src/store/s3.js'
import {
  type HttpFaultProxy,
  SERVER_ERROR,
  type SeenRequest,
  SLOW_DOWN,
  startHttpProxy,
  WRITE_CONFLICT,
} from '../support/http-fault-proxy.js'
import { type MotoServer, startMoto } from '../support/moto.js'

const TIMEOUT_MS = 1500
const CONTENT = new Uint8Array(randomBytes(200_000))
const OTHER = new Uint8Array(randomBytes(200_000))

let moto: MotoServer
let proxy: HttpFaultProxy
/** Behind the proxy, and without it. */
let store: Store
let direct: Store

beforeAll(async () => {
  moto = await startMoto()
  proxy = await startHttpProxy({ target: moto.endpoint })
})
afterAll(async () => {
  await proxy?.close()
  await moto?.stop()
})
beforeEach(async () => {
  const bucket = await moto.createBucket()
  const open = (endpoint: string) =>
    createS3Store({
      bucket,
      prefix: 'p',
      endpoint,
      requestTimeoutMs: TIMEOUT_MS,
      socketTimeoutMs: TIMEOUT_MS,
    })
  store = open(proxy.endpoint)
  direct = open(moto.endpoint)
  proxy.clear()
})
afterEach(async () => {
  await Promise.all([store.close(), direct.close()])
})

const isPut = ({ method }: SeenRequest) => method === 'PUT'
const isGet = ({ method }: SeenRequest) => method === 'GET'
const isDelete = ({ method }: SeenRequest) => method === 'DELETE'
const isList = ({ path }: SeenRequest) => path.includes('list-type=2')

/** Contents are compared by hash: what differs in 200,000 bytes is no message for people. */
const hashOf = (content: Uint8Array | null): string | null =>
  content === null ? null : sha256(content)
const HASH = sha256(CONTENT)
const OTHER_HASH = sha256(OTHER)

const keysOf = async (listed: Store): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of listed.list('')) keys.push(key)
  return keys
}

describe('writing once, with faults on the way', () => {
  it('succeeds where the answer to a write that succeeded is lost', async () => {
    proxy.add({ when: isPut, fault: { kind: 'answer-lost' } })
    // The second attempt meets the first one's object: equal content is success.
    expect(await store.putIfAbsent('a', CONTENT)).toBe('exists')
    expect(proxy.count(isPut)).toBe(2)
    expect(hashOf(await direct.get('a'))).toBe(HASH)
  })

  it('does not take an object of somebody else for its own lost write', async () => {
    await direct.putIfAbsent('a', OTHER)
    proxy.add({ when: isPut, fault: { kind: 'answer-lost' } })
    await expect(store.putIfAbsent('a', CONTENT)).rejects.toMatchObject({ code: 'STORE_CONFLICT' })
    expect(hashOf(await direct.get('a'))).toBe(OTHER_HASH)
  })

  it.each([
    { what: '500', fault: SERVER_ERROR },
    { what: '503 (slow down)', fault: SLOW_DOWN },
    { what: '409 (two conditional writes met)', fault: WRITE_CONFLICT },
    { what: 'a reset connection', fault: { kind: 'reset' } },
    { what: 'a head without its body', fault: { kind: 'truncate', bytes: 0 } },
    { what: 'an answer that comes too late', fault: { kind: 'delay', delayMs: 2 * TIMEOUT_MS } },
  ] as const)('recovers from $what', async ({ fault }) => {
    proxy.add({ when: isPut, fault, times: 2 })
    expect(await store.putIfAbsent('a', CONTENT)).toMatch(/^(created|exists)$/)
    expect(proxy.count(isPut)).toBeGreaterThanOrEqual(fault.kind === 'truncate' ? 1 : 3)
    expect(hashOf(await direct.get('a'))).toBe(HASH)
  })

  it('lets one of two writers of other content win, whatever is lost', async () => {
    proxy.add({ when: isPut, fault: { kind: 'answer-lost' }, times: 2 })
    const answers = await Promise.allSettled([
      store.putIfAbsent('a', CONTENT),
      store.putIfAbsent('a', OTHER),
    ])
    const won = answers.map(({ status }) => status === 'fulfilled')
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(hashOf(await direct.get('a'))).toBe(won[0] ? HASH : OTHER_HASH)
  })
})

describe('replacing, with faults on the way', () => {
  it('knows its own write again when the answer was lost', async () => {
    const first = await store.replace('name', CONTENT, null)
    proxy.add({ when: isPut, fault: { kind: 'answer-lost' } })
    const second = await store.replace('name', OTHER, first.version)
    expect(await direct.head('name')).toEqual(second)
    expect(hashOf(await direct.get('name'))).toBe(OTHER_HASH)
  })

  it('refuses when somebody else was faster, though the content is equal', async () => {
    const first = await store.replace('name', CONTENT, null)
    proxy.add({ when: isPut, fault: { kind: 'reset' } })
    proxy.onRequest = async (request) => {
      if (!isPut(request)) return
      proxy.onRequest = () => {}
      await direct.replace('name', OTHER, first.version)
    }
    await expect(store.replace('name', OTHER, first.version)).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
    })
  })
})

describe('reading, with faults on the way', () => {
  beforeEach(async () => {
    await direct.putIfAbsent('a', CONTENT)
  })

  it.each([
    { what: '500', fault: SERVER_ERROR },
    { what: '503 (slow down)', fault: SLOW_DOWN },
    { what: 'a reset connection', fault: { kind: 'reset' } },
    { what: 'a body that breaks off', fault: { kind: 'truncate', bytes: 70_000 } },
    { what: 'an answer that comes too late', fault: { kind: 'delay', delayMs: 2 * TIMEOUT_MS } },
    { what: 'a body that stops coming', fault: { kind: 'stall', bytes: 70_000 } },
  ] as const)('recovers from $what', async ({ fault }) => {
    proxy.add({ when: isGet, fault, times: 2 })
    expect(hashOf(await store.get('a'))).toBe(HASH)
    proxy.add({ when: isGet, fault, times: 2 })
    expect(hashOf(await store.getRange('a', 10, 100_000))).toBe(
      sha256(CONTENT.subarray(10, 100_010)),
    )
  })

  it('never returns bytes that were cut off', async () => {
    proxy.add({ when: isGet, fault: { kind: 'truncate', bytes: 70_000 }, times: Infinity })
    const failure = { code: 'STORE_UNAVAILABLE', retryable: true }
    await expect(store.get('a').then(hashOf)).rejects.toMatchObject(failure)
    await expect(store.getRange('a', 0, 100_000).then(hashOf)).rejects.toMatchObject(failure)
  })

  it('never returns a shorter body, though its head agrees', async () => {
    proxy.add({ when: isGet, fault: { kind: 'shorten', bytes: 70_000 }, times: Infinity })
    await expect(store.get('a').then(hashOf)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await expect(store.getRange('a', 0, 100_000).then(hashOf)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
  })

  it('does not take a failing server for a missing object', async () => {
    proxy.add({ fault: SERVER_ERROR, times: Infinity })
    await expect(store.get('missing')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(store.head('missing')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('listing and deleting, with faults on the way', () => {
  const KEYS = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`)

  beforeEach(async () => {
    for (const key of KEYS) await direct.putIfAbsent(key, CONTENT.subarray(0, 10))
  })

  it.each([
    { what: '500', fault: SERVER_ERROR },
    { what: '503 (slow down)', fault: SLOW_DOWN },
    { what: 'a reset connection', fault: { kind: 'reset' } },
    { what: 'a body that breaks off', fault: { kind: 'truncate', bytes: 4_000 } },
    { what: 'an answer that comes too late', fault: { kind: 'delay', delayMs: 2 * TIMEOUT_MS } },
    { what: 'a body that stops coming', fault: { kind: 'stall', bytes: 4_000 } },
  ] as const)('lists everything in spite of $what', async ({ fault }) => {
    proxy.add({ when: isList, fault, times: 2 })
    expect(await keysOf(store)).toEqual(KEYS)
  })

  it.each([{ bytes: 0 }, { bytes: 200 }, { bytes: 4_000 }])(
    'never takes $bytes bytes of a list for the whole list',
    async ({ bytes }) => {
      proxy.add({ when: isList, fault: { kind: 'shorten', bytes }, times: Infinity })
      await expect(keysOf(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    },
  )

  it('deletes once more where the answer was lost', async () => {
    proxy.add({ when: isDelete, fault: { kind: 'answer-lost' } })
    await store.delete('k00')
    expect(await direct.get('k00')).toBeNull()
  })
})

describe('a server that fails for good', () => {
  it.each([
    { what: '503', fault: SLOW_DOWN },
    { what: '500', fault: SERVER_ERROR },
    { what: 'resets', fault: { kind: 'reset' } },
    { what: 'silence', fault: { kind: 'delay', delayMs: 60_000 } },
  ] as const)(
    'is reported as such, in bounded time: $what',
    { timeout: 60_000 },
    async ({ fault }) => {
      proxy.add({ fault, times: Infinity })
      const failure = { code: 'STORE_UNAVAILABLE', retryable: true }
      const asked = [
        store.get('a'),
        store.putIfAbsent('a', CONTENT),
        keysOf(store),
        store.head('a'),
      ]
      for (const answer of await Promise.allSettled(asked))
        expect(answer).toMatchObject({ status: 'rejected', reason: failure })
    },
  )

  it('is reported as a conflict when conditional writes never settle', async () => {
    proxy.add({ when: isPut, fault: WRITE_CONFLICT, times: Infinity })
    await expect(store.putIfAbsent('a', CONTENT)).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      retryable: true,
    })
  })
})
