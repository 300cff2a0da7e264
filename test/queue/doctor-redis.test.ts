import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Check } from '../../src/catalog/doctor-check.js'
import { checkQueue } from '../../src/queue/doctor-queue.js'
import { checkRedis } from '../../src/queue/doctor-redis.js'
import { type FaultProxy, startProxy } from '../support/fault-proxy.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { findFreePort, type RedisServer, startRedis } from '../support/redis.js'

const PASSWORD = 'sesame/and+more'

const toStop: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop()
})

const start = async (...given: Parameters<typeof startRedis>): Promise<RedisServer> => {
  const server = await startRedis(...given)
  toStop.push(server.stop)
  return server
}

const startProxied = async (server: RedisServer): Promise<FaultProxy> => {
  const proxy = await startProxy({ target: { host: '127.0.0.1', port: server.port } })
  toStop.push(proxy.close)
  return proxy
}

/** The address with user and password. */
const withUser = ({ port }: RedisServer, user: string, password = PASSWORD): string =>
  `redis://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`

const statusesOf = (checks: readonly Check[]): Record<string, string> =>
  Object.fromEntries(checks.map(({ name, status }) => [name.replace('queue: ', ''), status]))

const ALL_OK = {
  reachable: 'ok',
  version: 'ok',
  mode: 'ok',
  eviction: 'ok',
  persistence: 'ok',
  writable: 'ok',
  latency: 'ok',
  clock: 'ok',
}

describe('doctor of a Redis', () => {
  it('finds nothing wrong with a good one, and leaves no key', async () => {
    const server = await start()
    expect(statusesOf(await checkRedis(server.url))).toEqual(ALL_OK)
    const seen = Object.fromEntries((await checkQueue(server.url)).map((one) => [one.name, one]))
    expect(seen['queue: reachable']?.seen).toBe(`${server.url} answers`)
    expect(seen['queue: version']?.seen).toMatch(/^(Redis|Valkey) \d+\.\d+/)
    expect(seen['queue: persistence']?.seen).toBe('append-only file, synced everysec')
    const { Redis } = await import('ioredis')
    const client = new Redis(server.url)
    expect(await client.keys('*')).toEqual([])
    client.disconnect()
  })

  it('names settings that lose jobs', async () => {
    const server = await start({
      appendOnly: false,
      settings: { 'maxmemory-policy': 'allkeys-lru' },
    })
    expect(statusesOf(await checkRedis(server.url))).toEqual({
      ...ALL_OK,
      eviction: 'failed',
      persistence: 'warning',
    })
  })

  it('asks INFO where CONFIG is refused, as managed services do', async () => {
    const good = await start({ settings: { 'rename-command': ['CONFIG', ''] } })
    expect(statusesOf(await checkRedis(good.url))).toEqual(ALL_OK)
    const bad = await start({
      appendOnly: false,
      settings: { 'rename-command': ['CONFIG', ''], 'maxmemory-policy': 'volatile-lru' },
    })
    expect(statusesOf(await checkRedis(bad.url))).toMatchObject({
      eviction: 'failed',
      persistence: 'warning',
    })
  })

  it('warns of what a user may not ask, and fails where it may not work', async () => {
    const user = ['worker', 'on', `>${PASSWORD}`, '~*', '&*', '+@all']
    const asked = await start({ settings: { user: [...user, '-config', '-info'] } })
    expect(statusesOf(await checkRedis(withUser(asked, 'worker')))).toEqual({
      ...ALL_OK,
      version: 'warning',
      mode: 'warning',
      eviction: 'warning',
      persistence: 'warning',
    })
    const mute = await start({ settings: { user: [...user, '-eval'] } })
    const checks = await checkRedis(withUser(mute, 'worker'))
    expect(statusesOf(checks)).toEqual({ ...ALL_OK, writable: 'failed' })
    expect(JSON.stringify(checks)).not.toContain(PASSWORD)
  })

  it('fails on a replica, which cannot be written', async () => {
    const primary = await start()
    const replica = await start({ settings: { replicaof: ['127.0.0.1', String(primary.port)] } })
    const checks = await checkRedis(replica.url)
    expect(statusesOf(checks)).toMatchObject({ reachable: 'ok', writable: 'failed' })
  })
})

describe('doctor of a Redis that cannot be reached', () => {
  const failure = async (url: string): Promise<string> => {
    const checks = await checkRedis(url)
    expect(statusesOf(checks)).toEqual({ reachable: 'failed' })
    expect(checks[0]?.mend).toContain('HEADSTART_QUEUE')
    return checks[0]?.seen ?? ''
  }

  it('says that nobody listens', async () => {
    const port = await findFreePort()
    expect(await failure(`redis://127.0.0.1:${port}/3`)).toBe(
      `redis://127.0.0.1:${port}/3: nobody listens there`,
    )
  })

  it('says that the password is missing or wrong, and repeats neither it nor the user', async () => {
    const server = await start({ settings: { requirepass: PASSWORD } })
    expect(statusesOf(await checkRedis(withUser(server, '')))).toEqual(ALL_OK)
    expect(await failure(server.url)).toContain('NOAUTH')
    const seen = await failure(withUser(server, 'somebody', 'wrong-password'))
    expect(seen).toContain('WRONGPASS')
    expect(seen).not.toMatch(/somebody|wrong-password/)
  })

  it('says that the database does not exist', async () => {
    const { url } = await start()
    expect(await failure(`${url}/99`)).toContain('DB index')
  })

  it('gives up on one that is silent or hangs up', async () => {
    const proxy = await startProxied(await start())
    const url = `redis://127.0.0.1:${proxy.port}`
    proxy.set({ kind: 'block' })
    expect(await failure(url)).toBe(`${url}: it does not answer in time`)
    proxy.set({ kind: 'drop' })
    expect(await failure(url)).toBe(`${url}: it closes the connection`)
    proxy.set({ kind: 'reset' })
    expect(await failure(url)).toBe(`${url}: it closes the connection`)
  })

  it('says that something else answers', async () => {
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    toStop.push(async () => void server.close())
    const { port } = server.address() as AddressInfo
    const url = `redis://127.0.0.1:${port}`
    expect(await failure(url)).toBe(`${url}: what answers there is no Redis`)
  })

  it.each(['redis://', 'redis://:secret@', 'rediss:///0'])('refuses %s', async (address) => {
    expect(await failure(address)).toBe('no address of a Redis server')
  })
})

describe('doctor of a queue', () => {
  it('takes a folder, and leaves nothing in it', async () => {
    const folder = join(await makeFolder(), 'queue')
    expect(await checkQueue(folder)).toEqual([
      { name: 'queue: folder', status: 'ok', seen: `${folder} is writable`, mend: null },
    ])
    expect(await filesBelow(folder)).toEqual([])
  })

  it('refuses other addresses without repeating them', async () => {
    const checks = await checkQueue('amqp://user:secret@host')
    expect(statusesOf(checks)).toEqual({ queue: 'failed' })
    expect(JSON.stringify(checks)).not.toContain('secret')
  })

  it('warns of a slow network', async () => {
    const proxy = await startProxied(await start())
    proxy.set({ kind: 'delay', delayMs: 30 })
    const checks = await checkRedis(`redis://127.0.0.1:${proxy.port}`)
    expect(statusesOf(checks)).toEqual({ ...ALL_OK, latency: 'warning' })
  })
})
