// Owns `headstart worker extract` and `headstart worker train`.
import type { Command } from 'commander'
import type { CommonOptions } from '../context.js'
import { addEngineOptions, parsePort } from '../options.js'

interface WorkerOptions extends CommonOptions {
  readonly healthPort?: number
  readonly healthHost: string
}

const KINDS = {
  extract: 'compute features for all who share the queue and the store',
  train: 'train heads for all who share the queue and the store',
} as const

export const addWorkerCommand = (program: Command): void => {
  const group = program
    .command('worker')
    .description('run a worker process for a shared queue (HEADSTART_QUEUE) and store')
  for (const kind of ['extract', 'train'] as const)
    addEngineOptions(
      group
        .command(kind)
        .description(KINDS[kind])
        .option('--health-port <n>', 'answer /health/live and /health/ready here', parsePort)
        .option('--health-host <host>', 'address of the health port', '127.0.0.1'),
    )
      .addHelpText(
        'after',
        `
Prints one line when it is ready. The first SIGINT or SIGTERM takes no more jobs and saves what is
in hand; the second stops at once.

Examples:
  HEADSTART_QUEUE=redis://localhost:6379 headstart worker ${kind}
  HEADSTART_QUEUE=redis://redis:6379 HEADSTART_STORE=s3://features/main headstart worker ${kind} --health-port 8081`,
      )
      .action(async (options: WorkerOptions) => {
        const { runWorkerProcess } = await import('../process/worker-process.js')
        const { healthPort: port, healthHost: host } = options
        const health = port === undefined ? undefined : { host, port }
        await runWorkerProcess(kind, { ...options, health })
      })
}
