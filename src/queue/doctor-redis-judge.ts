// Owns what Redis must be like to hold a queue. Pure: it judges what Redis said, and asks nothing.
import { type Finding, failed, ok, warning } from '../catalog/doctor-check.js'
import type { SkewLimits } from '../catalog/doctor-clock.js'

/** [major, minor] that BullMQ needs. */
const LEAST_VERSION = [6, 2] as const
/** Each job takes several round trips. */
const SLOW_MS = 50

/** Delays, retries and locks of jobs are reckoned with the clocks of workers and of Redis. */
export const REDIS_SKEW_LIMITS: SkewLimits = {
  warningMs: 2_000,
  failedMs: 60_000,
  harm: 'delayed jobs start at the wrong time and locks seem to have expired',
}

/** Fields of INFO, such as `redis_version`. */
export type Info = ReadonlyMap<string, string>

/** Reads what INFO answers: a `name:value` a line, between headings. */
export const parseInfo = (text: string): Info =>
  new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon < 1 || line.startsWith('#')
        ? []
        : [[line.slice(0, colon), line.slice(colon + 1)]]
    }),
  )

const notAsked = (what: string): Finding =>
  warning(
    `${what} could not be asked: this user may run neither CONFIG nor INFO`,
    `See to it where the server is managed: ${what}.`,
  )

export const judgeVersion = (info: Info): Finding => {
  const version = info.get('redis_version')
  if (version === undefined) return notAsked(`version ${LEAST_VERSION.join('.')} or later`)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_VERSION
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor)
  const valkey = info.get('valkey_version')
  const seen = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`
  return enough
    ? ok(seen)
    : failed(seen, `Use Redis ${LEAST_VERSION.join('.')} or later (7 is better), or Valkey.`)
}

/** One address is all that a worker knows: it neither asks sentinels nor follows a cluster. */
export const judgeMode = (mode: string | undefined): Finding => {
  if (mode === undefined) return notAsked('mode standalone')
  if (mode === 'standalone') return ok('standalone')
  return failed(`${mode} mode`, 'Use the address of a standalone server (with replicas or not).')
}

/** @param policy of `maxmemory-policy`: with any other one jobs vanish when memory runs short. */
export const judgePolicy = (policy: string | undefined): Finding => {
  if (policy === undefined) return notAsked('maxmemory-policy noeviction')
  if (policy === 'noeviction') return ok('noeviction')
  return failed(
    `maxmemory-policy is ${policy}: jobs vanish when memory runs short`,
    'Run `redis-cli CONFIG SET maxmemory-policy noeviction` and put `maxmemory-policy noeviction` into redis.conf (or the parameter group of a managed service).',
  )
}

/** @param appendOnly 'yes' or 'no'. @param sync of `appendfsync`, where it is known. */
export const judgePersistence = (
  appendOnly: string | undefined,
  sync: string | undefined,
): Finding => {
  if (appendOnly === undefined) return notAsked('appendonly yes')
  if (appendOnly !== 'yes')
    return warning(
      'appendonly is off: jobs that wait are lost when Redis restarts (finished work is in the store)',
      'Run `redis-cli CONFIG SET appendonly yes` and put `appendonly yes` into redis.conf.',
    )
  if (sync === 'no')
    return warning(
      'appendfsync is no: the last half minute may be lost when the machine stops',
      'Run `redis-cli CONFIG SET appendfsync everysec` and put it into redis.conf.',
    )
  return ok(sync === undefined ? 'append-only file' : `append-only file, synced ${sync}`)
}

/** @param roundTripMs of one PING, the middle one of several. */
export const judgeLatency = (roundTripMs: number): Finding => {
  const seen = `${roundTripMs.toFixed(1)} ms for a PING`
  return roundTripMs > SLOW_MS
    ? warning(
        seen,
        'Run workers and Redis in the same network: each job takes several round trips.',
      )
    : ok(seen)
}
