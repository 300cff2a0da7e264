// Owns what a thread of a shard buffer does: it reads files into shared memory and hashes them.
import type { MessagePort } from 'node:worker_threads'
import { sha256 } from '../identity/hash.js'
import { readShardFile, type ShardFile } from './shard-file.js'

export interface ShardThreadStart {
  readonly memory: SharedArrayBuffer
}

/** Answers each file with its outcome; with null when reading failed. */
export const serveShardFiles = (port: MessagePort, { memory }: ShardThreadStart): void => {
  const bytes = new Uint8Array(memory)
  port.on('message', async (file: ShardFile) => {
    port.postMessage(await readShardFile(file, bytes, sha256).catch(() => null))
  })
}
