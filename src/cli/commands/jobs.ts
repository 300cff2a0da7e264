// Owns `headstart jobs`: what a service works on, from any process.
import { type Command, Option } from 'commander'
import { JOB_KINDS, type JobKind } from '../../queue/jobs.js'
import { JOB_STATES, type JobState, type JobView, type Service } from '../../queue/types.js'
import { type CommonOptions, type Context, type Report, runCommand } from '../context.js'
import { findJob, findJobs } from '../find-job.js'
import { drawJob, drawJobs, shortJobId } from '../job-text.js'
import { addCommonOptions, parseCount } from '../options.js'
import { requireService, withService } from '../service/choose.js'
import { followJobs } from '../service/follow.js'

const REFERENCE = 'id, or the unique start of an id or of its hash'

interface ListOptions extends CommonOptions {
  readonly kind?: JobKind
  readonly state?: JobState
  readonly limit?: number
}

const runWithService = (
  options: CommonOptions,
  work: (service: Service, context: Context) => Promise<Report>,
): Promise<void> =>
  runCommand(options, async (context) =>
    withService(await requireService(context), ({ service }) => work(service, context)),
  )

/** @throws the error of the first job that failed. */
const waitFor = async (
  service: Service,
  context: Context,
  references: readonly string[],
): Promise<readonly JobView[]> => {
  const ids = (await findJobs(service, references)).map(({ id }) => id)
  const handle = service.attach(ids)
  await followJobs(context, service, { handles: [handle], ids }, (signal) =>
    handle.finished({ signal }),
  )
  return findJobs(service, ids)
}

const addList = (group: Command): void => {
  addCommonOptions(
    group
      .command('ls')
      .description('list jobs, newest first; shards only with --kind shard')
      .addOption(new Option('--kind <kind>', 'only this kind').choices(JOB_KINDS))
      .addOption(new Option('--state <state>', 'only in this state').choices(JOB_STATES))
      .option('--limit <n>', 'at most so many (default 100)', parseCount),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart jobs ls
  headstart jobs ls --state failed --json | jq '.jobs[].error'`,
    )
    .action((options: ListOptions) =>
      runWithService(options, async (service): Promise<Report> => {
        const { kind, state, limit } = options
        const jobs = await service.listJobs({ kind, state, limit })
        return { json: { jobs }, text: drawJobs(jobs) }
      }),
    )
}

const addShow = (group: Command): void => {
  addCommonOptions(
    group
      .command('show')
      .description('show one job: progress, result, error')
      .argument('<job>', REFERENCE),
  )
    .addHelpText('after', '\nExample:\n  headstart jobs show training-4f2a')
    .action((reference: string, options: CommonOptions) =>
      runWithService(options, async (service): Promise<Report> => {
        const job = await findJob(service, reference)
        return { json: job, text: drawJob(job) }
      }),
    )
}

const addWait = (group: Command): void => {
  addCommonOptions(
    group
      .command('wait')
      .description('wait until jobs have ended; Ctrl-C ends the waiting, not the jobs')
      .argument('<jobs...>', REFERENCE),
  )
    .addHelpText(
      'after',
      `
The exit code is that of the work, as if it had been done here.

Examples:
  headstart jobs wait training-4f2a
  headstart jobs wait $(headstart run experiment.json --detach --json | jq -r '.jobs[0]')`,
    )
    .action((references: string[], options: CommonOptions) =>
      runWithService(options, async (service, context): Promise<Report> => {
        const jobs = await waitFor(service, context, references)
        return { json: { jobs }, text: jobs.map(drawJob).join('\n\n') }
      }),
    )
}

const addCancel = (group: Command): void => {
  addCommonOptions(
    group
      .command('cancel')
      .description('stop jobs; what they computed is kept')
      .argument('<jobs...>', REFERENCE),
  )
    .addHelpText('after', '\nExample:\n  headstart jobs cancel training-4f2a')
    .action((references: string[], options: CommonOptions) =>
      runWithService(options, async (service): Promise<Report> => {
        const jobs: JobView[] = []
        for (const { id } of await findJobs(service, references))
          jobs.push(await service.cancelJob(id))
        const lines = jobs.map(({ id, state }) =>
          state === 'active' || state === 'waiting'
            ? `${shortJobId(id)} is being cancelled`
            : `${shortJobId(id)} is ${state}`,
        )
        return { json: { jobs }, text: lines.join('\n') }
      }),
    )
}

const addRemove = (group: Command): void => {
  addCommonOptions(
    group
      .command('rm')
      .description('forget jobs that have ended; their results stay in the store')
      .argument('<jobs...>', REFERENCE),
  )
    .addHelpText('after', '\nExample:\n  headstart jobs rm training-4f2a')
    .action((references: string[], options: CommonOptions) =>
      runWithService(options, async (service): Promise<Report> => {
        const removed = (await findJobs(service, references)).map(({ id }) => id)
        for (const id of removed) await service.removeJob(id)
        return {
          json: { removed },
          text: removed.map((id) => `removed ${shortJobId(id)}`).join('\n'),
        }
      }),
    )
}

export const addJobsCommand = (program: Command): void => {
  const group = program
    .command('jobs')
    .description('list, show, wait for and cancel the jobs of a service')
  for (const add of [addList, addShow, addWait, addCancel, addRemove]) add(group)
}
