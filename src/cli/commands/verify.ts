// Owns `headstart verify`: the parity gate on a published run, again.
import type { Command } from 'commander'
import { findRun } from '../../model/find-run.js'
import { PARITY_SAMPLES } from '../../model/parity.js'
import { type CommonOptions, runCommand } from '../context.js'
import { addEngineOptions, parseCount } from '../options.js'
import { table } from '../tables.js'

export const addVerifyCommand = (program: Command): void => {
  addEngineOptions(
    program
      .command('verify')
      .description('compute features of a run again as they are served, and compare')
      .argument('<run>', 'run id, a unique beginning of it, or model name')
      .option('--samples <n>', `samples to compare (default ${PARITY_SAMPLES})`, parseCount)
      .option('--content <path>', 'path or s3:// address of the dataset now, if it was moved'),
  )
    .addHelpText('after', '\nExample:\n  headstart verify pets-v1 --samples 200')
    .action((reference: string, options: CommonOptions & { samples?: number; content?: string }) =>
      runCommand(options, async ({ workspace, signal }) => {
        const { verifyRun } = await import('../../experiment/verify.js')
        const run = await findRun(workspace.store, reference)
        const { samples = PARITY_SAMPLES, content = run.dataset.from } = options
        const { store, engines, objects } = workspace
        const parity = await verifyRun({ store, engines, objects, run, content, samples, signal })
        const text = table([
          ['run', run.runId],
          ['samples', String(parity.samples)],
          ['bitwise', parity.bitwise ? 'yes' : 'no'],
          ['max difference', String(parity.maxAbsDiff)],
          ['tolerance', String(parity.tolerance)],
          ['engine', `${parity.engine.version} on ${parity.engine.device}`],
        ])
        return { json: { run: run.runId, ...parity }, text }
      }),
    )
}
