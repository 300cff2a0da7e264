import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.js'
import { createS3Store } from '../../src/store/s3.js'
import { storeContract } from '../contract/store.js'
import { type MotoServer, startMoto } from '../support/moto.js'

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
})
afterAll(async () => {
  await moto?.stop()
})

storeContract('s3', async () => {
  const bucket = await moto.createBucket()
  const prefix = `p-${randomUUID()}/nested`
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}/${key}` })
  const read = async (key: string) => {
    const object = await moto.client.send(new GetObjectCommand(at(key)))
    const content = (await object.Body?.transformToByteArray()) ?? new Uint8Array()
    return { content, metadata: object.Metadata ?? {} }
  }
  return {
    store: await openStore({ url: `s3://${bucket}/${prefix}`, s3Endpoint: moto.endpoint }),
    tamper: async (key, change) => {
      const { content, metadata } = await read(key)
      const object = { ...at(key), Body: change(content), Metadata: metadata }
      await moto.client.send(new PutObjectCommand(object))
    },
    forget: async (key) => {
      const { content } = await read(key)
      await moto.client.send(new PutObjectCommand({ ...at(key), Body: content }))
    },
    dispose: async () => {},
  }
})

describe('s3 store', () => {
  it('keeps stores with different prefixes of one bucket apart', async () => {
    const bucket = await moto.createBucket()
    const open = (prefix: string) => createS3Store({ bucket, prefix, endpoint: moto.endpoint })
    const [one, other, whole] = [open('one'), open('one-more'), open('')]
    await one.putIfAbsent('a', new Uint8Array([1]))
    expect(await other.get('a')).toBeNull()
    const keys: string[] = []
    for await (const { key } of whole.list('')) keys.push(key)
    expect(keys).toEqual(['one/a'])
    for await (const object of other.list('')) expect.fail(object.key)
    await Promise.all([one.close(), other.close(), whole.close()])
  })

  it('names the bucket that does not exist, on every path', async () => {
    const store = createS3Store({ bucket: 'no-such-bucket', prefix: 'p', endpoint: moto.endpoint })
    const failure = {
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/no-such-bucket at http:.*does not exist/),
    }
    await expect(store.get('a')).rejects.toMatchObject(failure)
    await expect(store.head('a')).rejects.toMatchObject(failure)
    await expect(store.putIfAbsent('a', new Uint8Array())).rejects.toMatchObject(failure)
    await expect(store.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject(failure)
    await store.close()
  })

  it('names bucket and endpoint, and no secret, when nobody answers', async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve, reject) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
    await new Promise((resolve) => server.close(resolve))
    const endpoint = `http://127.0.0.1:${port}`
    const store = createS3Store({ bucket: 'some-bucket', prefix: '', endpoint })
    const failure = await store.get('a').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    expect(String(failure)).toContain(`some-bucket at ${endpoint}`)
    expect(inspect(failure, { depth: null, showHidden: true })).not.toContain('test-secret-key')
    await store.close()
  })

  it('shows its address without endpoint and credentials', async () => {
    const store = createS3Store({ bucket: 'some-bucket', prefix: 'a/b', endpoint: moto.endpoint })
    expect(store.url).toBe('s3://some-bucket/a/b')
    await store.close()
  })
})
