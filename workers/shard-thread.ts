// Thread entry: reads and hashes files of shards. Started by src/features/shard-buffer.ts.
import { parentPort, workerData } from 'node:worker_threads'
import { type ShardThreadStart, serveShardFiles } from '../src/features/shard-thread.js'

if (parentPort !== null) serveShardFiles(parentPort, workerData as ShardThreadStart)
