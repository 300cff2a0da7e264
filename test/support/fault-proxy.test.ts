import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FaultProxy, startProxy } from './fault-proxy.js'
import { until } from './folders.js'
import { type RedisServer, startRedis } from './redis.js'

let server: RedisServer
let proxy: FaultProxy
let client: Redis

beforeAll(async () => {
  server = await startRedis({ appendOnly: false })
})
afterAll(async () => {
  await server?.stop()
})
beforeEach(async () => {
  proxy = await startProxy({ target: { host: '127.0.0.1', port: server.port } })
  client = new Redis({ host: proxy.host, port: proxy.port, retryStrategy: () => 20 })
  client.on('error', () => {})
  await client.set('name', 'value')
})
afterEach(async () => {
  client.disconnect()
  await proxy.close()
})

/** What a fresh connection hears after a PING: the text, and how the connection ended. */
const ping = async (): Promise<{ text: string; end: string }> => {
  const socket = connect(proxy.port, proxy.host)
  let text = ''
  let end = 'closed'
  socket.on('data', (chunk) => {
    text += chunk.toString()
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end = error.code ?? 'error'
  })
  socket.write('PING\r\n')
  await once(socket, 'close').catch(() => once(socket, 'close'))
  return { text, end }
}

describe('startProxy', () => {
  it('passes everything on while there is no fault', async () => {
    const large = 'x'.repeat(3_000_000)
    await client.set('large', large)
    expect(await client.get('large')).toBe(large)
    expect(proxy).toMatchObject({ open: 1, accepted: 1 })
  })

  it('drops and resets connections', async () => {
    proxy.set({ kind: 'drop' })
    expect((await ping()).text).toBe('')
    proxy.set({ kind: 'reset' })
    expect(await ping()).toEqual({ text: '', end: 'ECONNRESET' })
  })

  it('truncates answers', async () => {
    proxy.set({ kind: 'truncate', bytes: 3 })
    expect((await ping()).text).toBe('+PO')
  })

  it('delays what is sent and what is answered', async () => {
    proxy.set({ kind: 'delay', delayMs: 60 })
    const start = performance.now()
    expect(await client.get('name')).toBe('value')
    expect(performance.now() - start).toBeGreaterThan(115)
  })

  it('holds everything back while it blocks', async () => {
    proxy.set({ kind: 'block' })
    let answered = false
    const asked = client.get('name').finally(() => {
      answered = true
    })
    await sleep(150)
    expect(answered).toBe(false)
    proxy.set(null)
    expect(await asked).toBe('value')
    expect(proxy.accepted).toBe(1)
  })

  it('cuts open connections, and lets clients come back', async () => {
    proxy.cut()
    expect(await client.get('name')).toBe('value')
    expect(proxy.accepted).toBe(2)
    expect(proxy.open).toBe(1)
  })

  it('forgets a connection when the client goes', async () => {
    client.disconnect()
    await until(async () => proxy.open === 0)
  })
})
