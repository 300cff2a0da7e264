// Owns the list of places that the service may read from for its callers: hosts, and buckets or what
// lies below a prefix of one. An entry is met exactly: nothing is decoded, no suffix of a host counts.
import { HeadstartError } from '../errors.js'
import { type ObjectLocation, parseObjectUrl } from '../store/url.js'

export interface AllowedSources {
  /** http and https. */
  url(url: URL): boolean
  /** @param from `s3://bucket/key`. */
  object(from: string): boolean
}

/** A host name or address, with a port where it is not that of the scheme. */
const HOST = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d{1,5})?$/i

const wrong = (entry: string): HeadstartError =>
  new HeadstartError(
    'CONFIG_INVALID',
    `allowed sources are hosts (example.com, example.com:8080) and s3://bucket/prefix, not ${JSON.stringify(entry.slice(0, 120))}`,
  )

const parseBucket = (entry: string): ObjectLocation => {
  try {
    return parseObjectUrl(entry)
  } catch {
    throw wrong(entry)
  }
}

const isBelow = (object: ObjectLocation, allowed: ObjectLocation): boolean =>
  object.bucket === allowed.bucket &&
  (allowed.key === '' || object.key === allowed.key || object.key.startsWith(`${allowed.key}/`))

/** @throws CONFIG_INVALID naming the first entry that cannot be used. */
export const parseAllowedSources = (entries: readonly string[]): AllowedSources => {
  const hosts = new Set<string>()
  const buckets: ObjectLocation[] = []
  for (const entry of entries) {
    if (entry.startsWith('s3://')) buckets.push(parseBucket(entry))
    else if (HOST.test(entry)) hosts.add(entry.toLowerCase())
    else throw wrong(entry)
  }
  return {
    url: ({ protocol, host }) => /^https?:$/.test(protocol) && hosts.has(host),
    object: (from) => {
      const object = parseObjectUrl(from)
      return buckets.some((allowed) => isBelow(object, allowed))
    },
  }
}
