// Entry of a thread that trains heads. Started by src/head/fused/host-thread.ts.
import { workerData } from 'node:worker_threads'
import { type HostThreadStart, serveGroupHost } from '../src/head/fused/serve-host.js'

export default serveGroupHost(workerData as HostThreadStart)
