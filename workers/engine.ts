// Entry of an engine thread. The pool that starts it is src/extractor/engines/pool.ts.
import { workerData } from 'node:worker_threads'
import { createEngineHost, type HostStart } from '../src/extractor/engines/host.js'

export default createEngineHost(workerData as HostStart)
