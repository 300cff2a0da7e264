// Reading a bucket that others filled: any key, whole objects only, and faults on the way.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { collectBytes } from '../../src/store/collect-bytes.js'
import type { ObjectSource } from '../../src/store/object-source.js'
import { createObjectOpener } from '../../src/store/open.js'
import { createS3Objects } from '../../src/store/s3-objects.js'
import { failureOf } from '../dataset/support.js'
import { type HttpFaultProxy, SERVER_ERROR, startHttpProxy } from '../support/http-fault-proxy.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { putFiles } from '../support/s3-files.js'

const CONTENT = new Uint8Array(randomBytes(200_000))
const KEYS = ['a/b+c %41&<é😀.png', 'a/big', 'other']
const TIMEOUT_MS = 2000

let moto: MotoServer
let proxy: HttpFaultProxy
let bucket: string
let source: ObjectSource
beforeAll(async () => {
  moto = await startMoto()
  proxy = await startHttpProxy({ target: moto.endpoint })
  bucket = await moto.createBucket()
  await putFiles(moto, bucket, Object.fromEntries(KEYS.map((key) => [key, CONTENT])))
})
beforeEach(() => {
  const timeouts = { requestTimeoutMs: TIMEOUT_MS, socketTimeoutMs: TIMEOUT_MS }
  source = createS3Objects(bucket, { endpoint: proxy.endpoint, ...timeouts })
  proxy.clear()
})
afterEach(() => source.close())
afterAll(async () => {
  await proxy?.close()
  await moto?.stop()
})

const keysOf = async (prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of source.list(prefix)) keys.push(key)
  return keys
}
const isList = ({ path }: { path: string }) => path.includes('list-type=2')
const isGet = ({ path }: { path: string }) => !isList({ path })

describe('a bucket', () => {
  it('is listed and read under the keys and ETags that its objects have', async () => {
    expect(await keysOf()).toEqual(KEYS)
    expect(await keysOf('a/b+')).toEqual(KEYS.slice(0, 1))
    for await (const object of source.list('')) {
      expect(await source.head(object.key)).toEqual(object)
      const read = await source.read(object.key, async (body, info) => [
        await collectBytes(body),
        info,
      ])
      expect(read).toEqual([CONTENT, object])
    }
    expect(await source.head('no')).toBeNull()
    expect(await source.read('no', async () => expect.fail('there is nothing'))).toBeNull()
  })

  it.each([
    { what: '500', fault: SERVER_ERROR },
    { what: 'a body that breaks off', fault: { kind: 'truncate', bytes: 70_000 } },
    { what: 'a body that stops coming', fault: { kind: 'stall', bytes: 70_000 } },
  ] as const)('is read from the start again after $what', async ({ fault }) => {
    proxy.add({ when: isGet, fault, times: 2 })
    const content = await source.read('a/big', (body) => collectBytes(body))
    expect(content).toEqual(CONTENT)
  })

  it('never gives bytes that were cut off, nor part of a list', async () => {
    proxy.add({ when: isGet, fault: { kind: 'truncate', bytes: 70_000 }, times: Infinity })
    const cut = source.read('a/big', (body) => collectBytes(body))
    expect((await failureOf(cut)).code).toBe('STORE_UNAVAILABLE')
    proxy.add({ when: isList, fault: { kind: 'shorten', bytes: 0 }, times: Infinity })
    expect((await failureOf(keysOf())).code).toBe('STORE_UNAVAILABLE')
  })

  it('throws what its reader throws, once, and holds no socket after it', async () => {
    let calls = 0
    const read = () =>
      source.read('a/big', async (body) => {
        calls += 1
        for await (const _ of body) throw new RangeError('enough')
      })
    for (let n = 0; n < 70; n += 1) await expect(read()).rejects.toThrow('enough')
    expect(calls).toBe(70)
    expect(await source.head('a/big')).not.toBeNull()
  })

  it('is left at once on an abort', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const read = source.read(
      'a/big',
      async (body) => {
        controller.abort()
        return collectBytes(body)
      },
      { signal },
    )
    expect((await failureOf(read)).code).toBe('INTERRUPTED')
    const list = source.list('', { signal })[Symbol.asyncIterator]()
    expect((await failureOf(list.next())).code).toBe('INTERRUPTED')
    expect((await failureOf(source.head('other', { signal }))).code).toBe('INTERRUPTED')
  })
})

describe('the opener of buckets', () => {
  it('opens each bucket once, and refuses an endpoint with credentials', async () => {
    const opener = createObjectOpener({ s3Endpoint: moto.endpoint })
    expect(await opener.open(bucket)).toBe(await opener.open(bucket))
    expect((await opener.open(bucket)).place).not.toBe((await opener.open('other-bucket')).place)
    await opener.close()
    const secret = createObjectOpener({ s3Endpoint: 'http://key:topsecret@host' })
    const failure = await failureOf(secret.open(bucket))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.message).not.toContain('topsecret')
    await secret.close()
  })
})
