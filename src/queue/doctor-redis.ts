// Owns the checks of a Redis that holds a queue. Writes one key of its own, which it removes.
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { attempt, type Check, type Finding, failed, ok } from '../catalog/doctor-check.js'
import { type ClockReading, judgeSkew } from '../catalog/doctor-clock.js'
import { messageOf } from '../errors.js'
import {
  type Info,
  judgeLatency,
  judgeMode,
  judgePersistence,
  judgePolicy,
  judgeVersion,
  parseInfo,
  REDIS_SKEW_LIMITS,
} from './doctor-redis-judge.js'
import { MEND_REACH, openSession, reach, withoutSecrets } from './doctor-redis-session.js'

/** PINGs, of which the middle one counts; readings of the clock, of which the quickest counts. */
const SAMPLES = 7

const MEND_WRITE = 'Give this user all commands and keys: BullMQ works with Lua scripts.'
const MEND_ASK = 'Try again; if it persists, look at the log of Redis.'

/** A key that would vanish by itself is set and removed, as BullMQ does everything: in a script. */
const WRITE_SCRIPT = `redis.call('set', KEYS[1], '1', 'PX', 10000) return redis.call('del', KEYS[1])`

const write = async (client: Redis): Promise<Finding> => {
  await client.eval(WRITE_SCRIPT, 1, `headstart:doctor:${randomUUID()}`)
  return ok('a script wrote and removed a key')
}

const ping = async (client: Redis): Promise<Finding> => {
  const times: number[] = []
  for (let i = 0; i < SAMPLES; i += 1) {
    const start = performance.now()
    await client.ping()
    times.push(performance.now() - start)
  }
  return judgeLatency(times.sort((a, b) => a - b)[SAMPLES >> 1] ?? 0)
}

const readClock = async (client: Redis): Promise<ClockReading> => {
  const askedMs = Date.now()
  const [seconds, microseconds] = await client.time()
  const answeredMs = Date.now()
  return {
    serverMs: Number(seconds) * 1000 + Number(microseconds) / 1000,
    askedMs,
    answeredMs,
    // Date.now() is coarser than what Redis answers.
    stepMs: 1,
  }
}

const compareClocks = async (client: Redis): Promise<Finding> => {
  const readings: ClockReading[] = []
  for (let i = 0; i < SAMPLES; i += 1) readings.push(await readClock(client))
  const took = (reading: ClockReading) => reading.answeredMs - reading.askedMs
  const quickest = readings.reduce((best, next) => (took(next) < took(best) ? next : best))
  return judgeSkew(quickest, REDIS_SKEW_LIMITS)
}

/** Null where this user may not ask, as with managed services. */
const allowed = async <T>(asked: Promise<T>): Promise<T | null> => {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return null
    throw error
  }
}

interface Settings {
  readonly info: Info
  readonly policy: string | undefined
  readonly appendOnly: string | undefined
  readonly sync: string | undefined
}

const AOF_ENABLED: Readonly<Record<string, string>> = { '0': 'no', '1': 'yes' }

const readSettings = async (client: Redis): Promise<Settings> => {
  const info = parseInfo((await allowed(client.info())) ?? '')
  const ask = async (name: string): Promise<string | undefined> =>
    ((await allowed(client.config('GET', name))) as string[] | null)?.[1]
  return {
    info,
    policy: (await ask('maxmemory-policy')) ?? info.get('maxmemory_policy'),
    appendOnly: (await ask('appendonly')) ?? AOF_ENABLED[info.get('aof_enabled') ?? ''],
    sync: await ask('appendfsync'),
  }
}

const checkSettings = async (client: Redis): Promise<Check[]> => {
  try {
    const { info, policy, appendOnly, sync } = await readSettings(client)
    return [
      { name: 'queue: version', ...judgeVersion(info) },
      { name: 'queue: mode', ...judgeMode(info.get('redis_mode')) },
      { name: 'queue: eviction', ...judgePolicy(policy) },
      { name: 'queue: persistence', ...judgePersistence(appendOnly, sync) },
    ]
  } catch (error) {
    return [{ name: 'queue: settings', ...failed(messageOf(error), MEND_ASK) }]
  }
}

const parseAddress = (address: string): URL | null => {
  const url = URL.canParse(address) ? new URL(address) : null
  return url === null || url.hostname === '' ? null : url
}

/**
 * Looks at the Redis that holds the queue. Where it cannot be reached nothing more is tried.
 *
 * @param address `redis://` or `rediss://`; user and password are in no message.
 */
export const checkRedis = async (address: string): Promise<Check[]> => {
  const name = 'queue: reachable'
  const url = parseAddress(address)
  if (url === null) return [{ name, ...failed('no address of a Redis server', MEND_REACH) }]
  const session = openSession(address)
  const { client } = session
  try {
    const checks: Check[] = [{ name, ...(await reach(session, url)) }]
    if (checks[0]?.status === 'ok')
      checks.push(
        ...(await checkSettings(client)),
        await attempt('queue: writable', MEND_WRITE, () => write(client)),
        await attempt('queue: latency', MEND_ASK, () => ping(client)),
        await attempt('queue: clock', MEND_ASK, () => compareClocks(client)),
      )
    return checks.map((check) => ({ ...check, seen: withoutSecrets(check.seen, url) }))
  } finally {
    client.disconnect()
  }
}
