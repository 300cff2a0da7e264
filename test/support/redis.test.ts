import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Redis } from 'ioredis'
import ts from 'typescript'
import { afterEach, describe, expect, it } from 'vitest'
import { makeFolder, until } from './folders.js'
import { type RedisServer, startRedis } from './redis.js'

const servers: RedisServer[] = []
const start = async (...given: Parameters<typeof startRedis>): Promise<RedisServer> => {
  const server = await startRedis(...given)
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

const withClient = async <T>(
  server: RedisServer,
  work: (client: Redis) => Promise<T>,
): Promise<T> => {
  const client = new Redis(server.url)
  client.on('error', () => {})
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('startRedis', () => {
  it.each(['always', 'everysec'] as const)(
    'comes back from its append-only file (%s) after kill -9, on the same port',
    async (appendOnly) => {
      const server = await start({ appendOnly })
      await withClient(server, (client) => client.set('kept', 'yes'))
      const { pid } = server
      await server.kill9()
      expect(server.pid).toBeUndefined()
      await server.restart()
      expect(server.pid).not.toBe(pid)
      expect(await withClient(server, (client) => client.get('kept'))).toBe('yes')
    },
  )

  it('forgets everything in a crash without an append-only file', async () => {
    const server = await start({ appendOnly: false })
    await withClient(server, (client) => client.set('kept', 'yes'))
    await server.kill9()
    await server.restart()
    expect(await withClient(server, (client) => client.get('kept'))).toBeNull()
  })

  it('evicts nothing unless it is told to', async () => {
    const policy = (client: Redis) => client.config('GET', 'maxmemory-policy')
    const [usual, other] = [
      await start(),
      await start({ settings: { 'maxmemory-policy': 'allkeys-lru' } }),
    ]
    expect(await withClient(usual, policy)).toEqual(['maxmemory-policy', 'noeviction'])
    expect(await withClient(other, policy)).toEqual(['maxmemory-policy', 'allkeys-lru'])
  })

  it('leaves neither process nor folder behind', async () => {
    const server = await start()
    const { pid = 0 } = server
    const directory = await withClient(server, (client) => client.config('GET', 'dir'))
    const [, folder = ''] = directory as string[]
    expect(existsSync(folder)).toBe(true)
    await server.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(folder)).toBe(false)
  })

  it('fails with what the server said when it cannot start', async () => {
    const { port } = await start()
    await expect(startRedis({ port })).rejects.toThrow(/does not start on port .*in use/is)
    await expect(startRedis({ settings: { hz: 'fast' } })).rejects.toThrow(/hz/)
  })

  it('ends with the process of its test, however that ends', async () => {
    // The helper itself in a process of its own, which is then killed without a chance to tidy up.
    const source = await readFile('test/support/redis.ts', 'utf8')
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    })
    const script = path.join(await makeFolder(), 'owner.mjs')
    const body =
      'process.stdout.write(String((await startRedis()).pid)); setInterval(() => {}, 1e6)'
    await writeFile(script, `${outputText}\n${body}\n`)
    const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [pid] = (await once(owner.stdout, 'data')) as [Buffer]
    expect(isAlive(Number(pid))).toBe(true)
    owner.kill('SIGKILL')
    await until(async () => !isAlive(Number(pid)))
  })
})
