// Thread entry: parses one Arrow tensor file (workerData: its bytes) and posts the table.
import { parentPort, workerData } from 'node:worker_threads'
import { readTensorTable } from '../src/features/arrow-tensor.js'

const table = readTensorTable(workerData as Uint8Array)
parentPort?.postMessage(table, [table.values.buffer])
