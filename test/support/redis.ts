// Owns the Redis servers of the tests: real processes, each with a port and a folder of its own.
// Fails, never skips, when there is no server. None outlives the process of its test.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000
const POLL_MS = 20
const START_ATTEMPTS = 5
/** Below the ports that systems give to outgoing connections: one of those could take it meanwhile. */
const PORTS = [20_000, 30_000] as const

/** Written by scripts/setup/test-redis.mjs. */
const RECORD = '.cache/test-redis.json'

export interface RedisOptions {
  /** When to sync the append-only file; false for none. Default 'everysec'. */
  readonly appendOnly?: 'always' | 'everysec' | false
  /** Default: a free one. */
  readonly port?: number
  /** For the append-only file. Default: a temporary one, removed by `stop`. A given one stays. */
  readonly directory?: string
  /** Further settings as in redis.conf, e.g. { 'maxmemory-policy': 'allkeys-lru' }. */
  readonly settings?: Readonly<Record<string, string | readonly string[]>>
}

export interface RedisServer {
  /** Without a password, even where the settings ask for one. */
  readonly url: string
  readonly port: number
  /** Undefined while it is down. */
  readonly pid: number | undefined
  /** Ends the server as a crash would: nothing is flushed, the folder stays. */
  kill9(): Promise<void>
  /** Starts it again on the same port and folder; ends it in order first where it runs. */
  restart(): Promise<void>
  stop(): Promise<void>
}

interface Program {
  readonly command: string
  readonly env: Readonly<Record<string, string>>
}

const findProgram = (): Program => {
  const asked = process.env.HEADSTART_TEST_REDIS
  if (asked !== undefined) return { command: asked, env: {} }
  try {
    return JSON.parse(readFileSync(path.resolve(RECORD), 'utf8')) as Program
  } catch (cause) {
    throw new Error(`${RECORD} is missing: run \`node scripts/setup.mjs --tests\``, { cause })
  }
}

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

/** A loopback port where nobody listens. */
export const findFreePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(...PORTS)
    if (await isFree(port)) return port
  }
}

/** Whether the server takes commands; one that loads its file or asks for a password is told apart. */
const answers = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1').setTimeout(1_000, () => socket.destroy())
  try {
    socket.write('PING\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return /^(\+PONG|-NOAUTH)/.test(answer.toString())
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

const argumentsOf = (options: RedisOptions, port: number, directory: string): string[] => {
  const { appendOnly = 'everysec', settings = {} } = options
  const all: Record<string, string | readonly string[]> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    save: '',
    appendonly: appendOnly === false ? 'no' : 'yes',
    ...(appendOnly === false ? {} : { appendfsync: appendOnly }),
    'maxmemory-policy': 'noeviction',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...[value].flat()])
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null

const end = async (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}

/**
 * A shell that waits for the end of its input, which comes when this process ends in whatever way,
 * and then kills the server. It goes when the server goes, so it never meets another process's id.
 */
const guard = (child: ChildProcess, ownDirectory: string): void => {
  const script = 'read -r _; kill -9 "$1"; [ -z "$2" ] || rm -rf "$2"'
  const args = ['-c', script, 'guard', String(child.pid), ownDirectory]
  const watcher = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watcher.unref()
  watcher.stdin?.on('error', () => {})
  child.once('exit', () => watcher.kill('SIGKILL'))
}

const launch = async (args: string[], port: number, ownDirectory: string) => {
  const { command, env } = findProgram()
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let output = ''
  const read = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  let failure: Error | undefined
  child.once('error', (error) => {
    failure = error
  })
  if (child.pid !== undefined) guard(child, ownDirectory)
  const deadline = Date.now() + START_TIMEOUT_MS
  // The server's own words come first: another program may answer on its port.
  while (!(output.includes('Ready to accept connections') && (await answers(port)))) {
    await sleep(POLL_MS)
    if (failure !== undefined || hasEnded(child) || Date.now() > deadline) {
      await end(child, 'SIGKILL')
      throw new Error(`${command} does not start on port ${port}:\n${output}`, { cause: failure })
    }
  }
  return child
}

/** Starts a server of its own and waits until it takes commands. */
export const startRedis = async (options: RedisOptions = {}): Promise<RedisServer> => {
  const own = options.directory === undefined
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'headstart-redis-')))
  const start = (at: number) =>
    launch(argumentsOf(options, at, directory), at, own ? directory : '')

  let port = options.port ?? (await findFreePort())
  let child: ChildProcess
  for (let attempt = 1; ; attempt += 1) {
    try {
      child = await start(port)
      break
    } catch (error) {
      // Somebody took the port since it was found free.
      if (options.port !== undefined || attempt === START_ATTEMPTS || (await isFree(port))) {
        if (own) await rm(directory, { recursive: true, force: true })
        throw error
      }
      port = await findFreePort()
    }
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return hasEnded(child) ? undefined : child.pid
    },
    kill9: () => end(child, 'SIGKILL'),
    restart: async () => {
      await end(child, 'SIGTERM')
      child = await start(port)
    },
    stop: async () => {
      await end(child, 'SIGTERM')
      if (own) await rm(directory, { recursive: true, force: true })
    },
  }
}
