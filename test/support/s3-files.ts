// Owns putting files into a bucket of the tests' S3 server, as other tools do.
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { ObjectSource, OpenObjects } from '../../src/store/object-source.js'
import type { MotoServer } from './moto.js'

export const putFiles = async (
  { client }: MotoServer,
  bucket: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> => {
  for (const [key, body] of Object.entries(files))
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(body) }))
}

export const deleteFile = async (
  { client }: MotoServer,
  bucket: string,
  key: string,
): Promise<void> => {
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
}

/** The opener, noting which keys are downloaded and how often the server is asked to list. */
export const watching = (
  open: OpenObjects,
): { readonly open: OpenObjects; readonly read: string[]; readonly asked: string[] } => {
  const read: string[] = []
  const asked: string[] = []
  return {
    read,
    asked,
    open: async (bucket) => {
      const source = await open(bucket)
      const watched: ObjectSource = {
        ...source,
        read: (key, consume, options) => {
          read.push(key)
          return source.read(key, consume, options)
        },
        head: (key, options) => {
          asked.push(key)
          return source.head(key, options)
        },
      }
      return watched
    },
  }
}
