// Owns reading objects that others put into a bucket of S3. Opened lazily (open.ts).
// Refuses nothing about keys: what may name a sample is decided where samples are found.
import querystring from 'node:querystring'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { HeadstartError } from '../errors.js'
import type { ConsumeObject, ObjectSource, ReadOptions, SourceObject } from './object-source.js'
import {
  createAsker,
  createBucketCheck,
  createS3Client,
  listPage,
  readObject,
  type S3Connection,
} from './s3-client.js'
import { isMissingObject, nameOf } from './s3-errors.js'

/** Lists and single answers differ in quotes on some servers. */
const plainEtag = (etag: string | undefined): string =>
  (etag ?? '').replace(/^W\//, '').replaceAll('"', '')

// XML cannot hold every character of a key, so listings are asked for in URL encoding, where a
// space is a plus. What is no UTF-8 becomes U+FFFD.
const decodeKey = (key: string, encoding: string | undefined): string =>
  encoding === 'url' ? querystring.unescape(key.replaceAll('+', ' ')) : key

/** A bucket to read from. Credentials come from the SDK's usual chain. Close it. */
export const createS3Objects = (bucket: string, connection: S3Connection): ObjectSource => {
  const client = createS3Client(connection)
  const assertBucket = createBucketCheck(client, bucket)
  const endpoint = connection.endpoint ?? 'AWS'
  const ask = createAsker(bucket, connection)

  const asking = <T>(action: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    ask(
      action,
      () =>
        work().catch((cause: unknown) => {
          if (nameOf(cause) !== 'NoSuchBucket') throw cause
          const message = `cannot read s3://${bucket}: the bucket does not exist at ${endpoint}`
          throw new HeadstartError('INPUT_MISSING', message, { cause })
        }),
      signal,
    )

  async function* list(prefix: string, { signal }: ReadOptions = {}): AsyncGenerator<SourceObject> {
    let token: string | undefined
    do {
      const request = {
        Bucket: bucket,
        Prefix: prefix,
        EncodingType: 'url' as const,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }
      const page = await asking('list objects', () => listPage(client, request, signal), signal)
      for (const { Key = '', Size = 0, ETag } of page.Contents ?? [])
        yield { key: decodeKey(Key, page.EncodingType), bytes: Size, etag: plainEtag(ETag) }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  const head = async (key: string, signal?: AbortSignal): Promise<SourceObject | null> => {
    try {
      const options = signal === undefined ? {} : { abortSignal: signal }
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), options)
      return { key, bytes: found.ContentLength ?? 0, etag: plainEtag(found.ETag) }
    } catch (error) {
      if (!isMissingObject(error)) throw error
      await assertBucket()
      return null
    }
  }

  return Object.freeze({
    bucket,
    place: `${endpoint} ${bucket}`,
    list,

    head: (key: string, { signal }: ReadOptions = {}) =>
      asking('look at an object', () => head(key, signal), signal),

    read: <T>(key: string, consume: ConsumeObject<T>, { signal }: ReadOptions = {}) =>
      asking(
        'read an object',
        () =>
          readObject(
            client,
            { Bucket: bucket, Key: key },
            (body, { ContentLength = 0, ETag }) =>
              consume(body, { key, bytes: ContentLength, etag: plainEtag(ETag) }),
            signal,
          ),
        signal,
      ),

    close: async () => {
      client.destroy()
    },
  })
}
