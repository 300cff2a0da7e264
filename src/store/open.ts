// Owns what a store's address may look like, and which adapter it opens.
// Refuses credentials in addresses: they would reach logs, records and the dashboard.
import { fileURLToPath } from 'node:url'
import { HeadstartError } from '../errors.js'
import { createFileStore } from './file.js'
import { isStoreKey } from './key.js'
import type { ObjectSource, OpenObjects } from './object-source.js'
import type { Store } from './port.js'
import type { S3Connection } from './s3-client.js'
import { BUCKET_PATTERN, faultOfUrl } from './url.js'

export type StoreLocation =
  | { readonly kind: 'file'; readonly directory: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }

/** How to reach S3, for the store and for datasets alike. */
export interface S3Settings {
  /** For servers other than AWS: `http(s)://host:port`. */
  readonly s3Endpoint?: string
  readonly s3Region?: string
  readonly s3ForcePathStyle?: boolean
  readonly s3Checksums?: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED'
}

export interface OpenStoreOptions extends S3Settings {
  /** `file:///absolute/folder` or `s3://bucket/prefix`. */
  readonly url: string
}

/** A store key needs the rest of S3's 1,024 bytes. */
const MAX_PREFIX_CHARACTERS = 120

/** The text itself is not repeated: it may hold a secret. */
const refuse = (text: string): never => {
  throw new HeadstartError('CONFIG_INVALID', text)
}

const parseUrl = (what: string, text: string): URL => {
  const fault = faultOfUrl(text)
  return fault === null ? new URL(text) : refuse(`${what} ${fault}`)
}

const parseFileUrl = (url: URL, text: string): StoreLocation => {
  if (!text.startsWith('file:///')) refuse('a file store is file:/// and an absolute path')
  let directory: string
  try {
    directory = fileURLToPath(url)
  } catch {
    return refuse('the path of the file store has encoded characters that no path can have')
  }
  if (directory.includes('\0')) refuse('the path of the file store has a zero character')
  const trimmed = directory.replace(/[/\\]+$/, '')
  if (trimmed === '') refuse('a file store needs a folder of its own, not the root of the disk')
  return { kind: 'file', directory: trimmed }
}

const parseS3Url = (text: string): StoreLocation => {
  const [bucket = '', ...rest] = text.slice('s3://'.length).split('/')
  const prefix = rest.join('/').replace(/\/$/, '')
  if (!BUCKET_PATTERN.test(bucket))
    refuse('an S3 store is s3://bucket/prefix; this is no bucket name')
  if (prefix !== '' && (!isStoreKey(prefix) || prefix.length > MAX_PREFIX_CHARACTERS)) {
    refuse(
      `the prefix of the S3 store takes letters, digits, '.', '_', '-' and '/', at most ${MAX_PREFIX_CHARACTERS}`,
    )
  }
  return { kind: 's3', bucket, prefix }
}

/**
 * Reads a store's address.
 *
 * @throws CONFIG_INVALID when it is none, or holds credentials, a query or a fragment.
 */
export const parseStoreUrl = (text: string): StoreLocation => {
  const url = parseUrl('the store', text)
  if (url.protocol === 'file:') return parseFileUrl(url, text)
  if (text.startsWith('s3://')) return parseS3Url(text)
  return refuse('a store is file:///folder or s3://bucket/prefix')
}

const parseEndpoint = (text: string): string => {
  const url = parseUrl('the S3 endpoint', text)
  if (url.protocol === 'http:' || url.protocol === 'https:') return url.href.replace(/\/$/, '')
  return refuse('the S3 endpoint is http://host:port or https://host:port')
}

const connectionOf = (settings: S3Settings): S3Connection => {
  const { s3Endpoint, s3Region, s3ForcePathStyle, s3Checksums } = settings
  return {
    ...(s3Endpoint === undefined ? {} : { endpoint: parseEndpoint(s3Endpoint) }),
    ...(s3Region === undefined ? {} : { region: s3Region }),
    ...(s3ForcePathStyle === undefined ? {} : { forcePathStyle: s3ForcePathStyle }),
    ...(s3Checksums === undefined ? {} : { checksums: s3Checksums }),
  }
}

/**
 * Opens the store at an address. Nothing is created or asked until it is used.
 *
 * @throws CONFIG_INVALID when an option cannot be used.
 */
export const openStore = async (options: OpenStoreOptions): Promise<Store> => {
  const location = parseStoreUrl(options.url)
  if (location.kind === 'file') return createFileStore(location.directory)
  const { bucket, prefix } = location
  const connection = connectionOf(options)
  // The AWS SDK is large: users of a file store do not load it.
  const { createS3Store } = await import('./s3.js')
  return createS3Store({ bucket, prefix, ...connection })
}

/**
 * An opener of buckets to read datasets from. Each bucket is opened once, when it is asked for
 * first, and is closed with the opener.
 */
export const createObjectOpener = (
  settings: S3Settings,
): { readonly open: OpenObjects; close(): Promise<void> } => {
  const opened = new Map<string, Promise<ObjectSource>>()
  const create = async (bucket: string): Promise<ObjectSource> => {
    const connection = connectionOf(settings)
    const { createS3Objects } = await import('./s3-objects.js')
    return createS3Objects(bucket, connection)
  }
  return {
    open: (bucket) => {
      const known = opened.get(bucket) ?? create(bucket)
      opened.set(bucket, known)
      return known
    },
    close: async () => {
      for (const source of await Promise.allSettled(opened.values()))
        if (source.status === 'fulfilled') await source.value.close()
      opened.clear()
    },
  }
}
