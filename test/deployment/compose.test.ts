import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DCLinter } from 'dclint'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { startRedis } from '../support/redis.js'

const COMPOSE = 'docker-compose.yml'

/** What the rules below ask of a service; the complete schema is the linter's. */
const service = z.object({
  image: z.string(),
  build: z.object({ context: z.literal('.'), target: z.string() }).optional(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()),
  profiles: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }),
  user: z.string(),
  init: z.boolean(),
  read_only: z.boolean(),
  tmpfs: z.array(z.string()),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  restart: z.string(),
  stop_grace_period: z.string(),
  deploy: z.object({
    resources: z.object({
      limits: z.object({ memory: z.string() }),
      reservations: z.object({ devices: z.array(z.unknown()) }).optional(),
    }),
  }),
})
type Service = z.infer<typeof service>

const source = await readFile(COMPOSE, 'utf8')
const compose = z
  .object({
    services: z.record(z.string(), service),
    networks: z.record(z.string(), z.object({ internal: z.boolean().optional() }).nullable()),
    volumes: z.record(z.string(), z.null()),
  })
  .parse(parse(source, { merge: true }))
const services = Object.entries(compose.services)

const named = (name: string): Service => {
  const found = compose.services[name]
  if (found === undefined) throw new Error(`${COMPOSE} has no service ${name}`)
  return found
}

/** dclint's own types are lost: its declarations import each other without file extensions. */
interface LintResult {
  readonly messages: readonly { readonly rule: string; readonly message: string }[]
}

/** The faults that the Compose specification's schema and the linter's rules find in a file. */
const lint = async (content: string): Promise<string[]> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'headstart-compose-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = path.join(folder, COMPOSE)
  await writeFile(file, content)
  const linter = new DCLinter({
    rules: {
      // Images are built here and named, so that they can be scaled and shared.
      'no-build-and-image': 0,
      // The order of keys and services tells the story of the file.
      'service-keys-order': 0,
      'services-alphabetical-order': 0,
      'top-level-properties-order': 0,
    },
    quiet: false,
    debug: false,
    exclude: [],
  })
  const results: readonly LintResult[] = linter.lintFiles([file], false)
  return results.flatMap(({ messages }) =>
    messages.map(({ rule, message }) => `${rule}: ${message}`),
  )
}

describe('docker-compose.yml', () => {
  test('fits the Compose specification and the linter has nothing to say', async () => {
    expect(await lint(source)).toEqual([])
  })

  test('a key that Compose does not know would be found', async () => {
    const faults = await lint(source.replaceAll('healthcheck:', 'heathcheck:'))
    expect(faults.join('\n')).toContain('invalid-schema')
  })

  test('has Redis, an S3 server, the API, two extract workers to choose from, and a train worker', () => {
    expect(services.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['redis', []],
      ['s3', []],
      ['api', []],
      ['extract-cpu', ['cpu']],
      ['extract-gpu', ['gpu']],
      ['train', []],
    ])
  })

  test.each(services)('%s has no more rights than it needs', (_name, entry) => {
    expect(entry.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(entry.read_only).toBe(true)
    expect(entry.tmpfs).toEqual(['/tmp'])
    expect(entry.cap_drop).toEqual(['ALL'])
    expect(entry.security_opt).toEqual(['no-new-privileges:true'])
  })

  test.each(services)('%s is watched, restarted, bounded and ended in order', (_name, entry) => {
    expect(entry.healthcheck.test[0]).toMatch(/^CMD(-SHELL)?$/)
    expect(entry.init).toBe(true)
    expect(entry.restart).toBe('unless-stopped')
    expect(entry.stop_grace_period).toMatch(/^\d+s$/)
    expect(entry.deploy.resources.limits.memory).toMatch(/\d+G/)
  })

  test.each(services)('%s has an image of one exact version', async (_name, { image, build }) => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile('package.json', 'utf8')))
    if (build === undefined) expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/)
    else expect(image).toBe(`headstart:${version}-${build.target}`)
  })

  test.each(services)('%s keeps its data in a volume that is declared', (_name, { volumes }) => {
    const [data] = volumes
    expect(data).toMatch(/^[a-z0-9-]+:\/data$/)
    expect(compose.volumes).toHaveProperty(data?.split(':')[0] ?? '')
  })

  test('only the API can be reached, and only from this machine', () => {
    const published = services.filter(([, { ports }]) => ports.length > 0)
    expect(published.map(([name]) => name)).toEqual(['api'])
    for (const port of named('api').ports) expect(port).toMatch(/^127\.0\.0\.1:.+:8080$/)
    expect(compose.networks.store).toEqual({ internal: true })
    for (const name of ['redis', 's3']) expect(named(name).networks).toEqual(['store'])
  })

  test('API and workers wait for a healthy Redis and S3', () => {
    const healthy = { condition: 'service_healthy' }
    for (const name of ['api', 'extract-cpu', 'extract-gpu', 'train'])
      expect(named(name).depends_on).toEqual({ redis: healthy, s3: healthy })
  })

  test('workers have more than a minute to end what they do', () => {
    for (const name of ['extract-cpu', 'extract-gpu', 'train'])
      expect(Number.parseInt(named(name).stop_grace_period, 10)).toBeGreaterThan(60)
  })

  test('S3 is SeaweedFS 4.44 or later, whose conditional writes can be trusted', () => {
    const [, minor] = /^chrislusf\/seaweedfs:4\.(\d+)$/.exec(named('s3').image) ?? []
    expect(Number(minor)).toBeGreaterThanOrEqual(44)
  })

  test('the bucket that S3 makes and checks is the one of the store', () => {
    const [bucket] = named('api').environment.HEADSTART_STORE?.replace('s3://', '').split('/') ?? []
    expect(named('s3').command).toContain(`-bucket=${bucket}`)
    expect(named('s3').healthcheck.test.at(-1)).toContain(`/buckets/${bucket}/`)
  })

  test('the GPU worker asks for an NVIDIA device, the other does not', () => {
    expect(named('extract-gpu').deploy.resources.reservations?.devices).toEqual([
      { driver: 'nvidia', count: 1, capabilities: ['gpu'] },
    ])
    expect(named('extract-gpu').environment.TF_FORCE_GPU_ALLOW_GROWTH).toBe('true')
    expect(named('extract-cpu').deploy.resources.reservations).toBeUndefined()
  })
})

describe('secrets', () => {
  const SECRETS = ['HEADSTART_TOKEN', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']

  test('must be given: no value stands in the file and none has a default', () => {
    expect([...new Set(source.match(/(?<=\$\{)\w+(?=:\?)/g))].sort()).toEqual(SECRETS)
    for (const [, { environment }] of services)
      for (const name of ['HEADSTART_TOKEN', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
        expect(environment[name] ?? '${').toMatch(/^\$\{/)
  })

  test('the token is known to the API alone', () => {
    const holders = services.filter(([, { environment }]) => 'HEADSTART_TOKEN' in environment)
    expect(holders.map(([name]) => name)).toEqual(['api'])
  })

  test('.env.example names each variable of the file, once, and leaves the secrets empty', async () => {
    const lines = (await readFile('.env.example', 'utf8')).match(/^[^#\n].*$/gm) ?? []
    const entries = lines.map((line) => line.split('=') as [string, string])
    const asked = new Set(source.match(/(?<=\$\{)\w+/g))
    expect(entries.map(([name]) => name).sort()).toEqual([...asked, 'COMPOSE_PROFILES'].sort())
    expect(entries.filter(([name]) => SECRETS.includes(name)).map(([, value]) => value)).toEqual([
      '',
      '',
      '',
    ])
  })
})

describe('the commands in docker-compose.yml', () => {
  test('a real Redis takes them: append-only, never evicting', async () => {
    const { command } = named('redis')
    const settings = Object.fromEntries(
      command.flatMap((word, at) =>
        word.startsWith('--') && word !== '--dir' ? [[word.slice(2), command[at + 1] ?? '']] : [],
      ),
    )
    expect(settings).toMatchObject({ appendonly: 'yes', 'maxmemory-policy': 'noeviction' })
    const server = await startRedis({ settings })
    onTestFinished(() => server.stop())
    const client = new Redis(server.url)
    onTestFinished(() => client.disconnect())
    for (const [name, value] of Object.entries({ ...settings, maxmemory: String(512 * 2 ** 20) }))
      expect(await client.config('GET', name)).toEqual([name, value])
  })

  test.each(['api', 'extract-cpu', 'extract-gpu', 'train'])(
    'the health check of %s tells ready from not ready and from nobody there',
    async (name) => {
      const [, program, flag, script = ''] = named(name).healthcheck.test
      expect([program, flag]).toEqual(['node', '-e'])
      const own = /127\.0\.0\.1:(\d+)\/health\/ready/.exec(script)?.[1]
      expect(named(name).command.at(-1)).toBe(own)

      let status = 200
      const server = createServer((request, response) => {
        response.writeHead(request.url === '/health/ready' ? status : 404).end()
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo

      const check = async (): Promise<number> => {
        const child = spawn(process.execPath, ['-e', script.replace(`:${own}/`, `:${port}/`)])
        return (await once(child, 'exit'))[0]
      }
      expect(await check()).toBe(0)
      status = 503
      expect(await check()).toBe(1)
      server.close()
      server.closeAllConnections()
      expect(await check()).toBe(1)
    },
  )
})
