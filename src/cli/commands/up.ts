// Owns `headstart up`.
import type { Command } from 'commander'
import { addEngineOptions, parsePort } from '../options.js'
import type { UpOptions } from '../process/up-process.js'

const DEFAULT_PORT = 8080

export const addUpCommand = (program: Command): void => {
  addEngineOptions(
    program
      .command('up')
      .description('serve this folder: API and workers in one go')
      .option('--host <host>', 'address to listen on', '127.0.0.1')
      .option('--port <n>', 'port to listen on; 0: any free one', parsePort, DEFAULT_PORT)
      .option('--no-workers', 'API only; workers run elsewhere (HEADSTART_QUEUE=redis://...)'),
  )
    .addHelpText(
      'after',
      `
While it runs, \`run\`, \`train\`, \`extract\` and \`jobs\` in this folder go through it. The first SIGINT or
SIGTERM saves what is in hand and stops; the second stops at once. With HEADSTART_TOKEN set, API
callers need that bearer token; addresses other than loopback need it set.

Examples:
  headstart up
  headstart up --port 0 --json
  HEADSTART_QUEUE=redis://localhost:6379 HEADSTART_STORE=s3://features/main headstart up --no-workers`,
    )
    .action(async (options: UpOptions) => {
      const { runUp } = await import('../process/up-process.js')
      await runUp(options)
    })
}
