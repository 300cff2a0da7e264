// Owns how jobs look to people: short ids, progress in one line, all there is to know of one job.
import { shortId } from '../identity/hash.js'
import type { JobProgress, JobResult, JobView } from '../queue/types.js'
import { seconds, table } from './tables.js'

/** The kind and the start of the hash: enough to find the job again. */
export const shortJobId = (id: string): string => {
  const [kind = '', hash = ''] = id.split('-')
  return `${kind}-${shortId(hash)}`
}

/** In UTC; JSON has the exact time. */
const secondOf = (time: string | null): string =>
  time === null ? '-' : time.slice(0, 19).replace('T', ' ')

export const describeProgress = (progress: JobProgress | null): string => {
  if (progress === null) return '-'
  if (progress.kind === 'training') {
    if (progress.phase === 'extracting') return 'waits for features'
    const { heads, epoch, epochs, loss } = progress
    const at = `epoch ${epoch}/${epochs}${loss === null ? '' : `, loss ${loss.toFixed(3)}`}`
    return heads === 1 ? at : `${heads} heads, ${at}`
  }
  const samples = `${progress.done}/${progress.total} samples`
  if (progress.kind === 'shard') return samples
  const { phase, shards, waitingFor } = progress
  const failed = shards.failed === 0 ? '' : `, ${shards.failed} failed`
  const waits = waitingFor === null ? '' : `, waits: ${waitingFor}`
  return `${phase}, ${samples}, ${shards.done}/${shards.total} shards${failed}${waits}`
}

const outcomeOf = ({ progress, result }: JobView): string => {
  if (result === null) return describeProgress(progress)
  if (result.kind === 'training')
    return `runs: ${result.runs.map(({ id }) => shortId(id)).join(', ')}`
  return `computed ${result.computed}, reused ${result.reused}, quarantined ${result.quarantined}`
}

const jobRow = (job: JobView): string[] => [
  shortJobId(job.id),
  job.state,
  secondOf(job.createdAt),
  job.error?.code ?? outcomeOf(job),
]

export const drawJobs = (jobs: readonly JobView[]): string =>
  jobs.length === 0
    ? 'no jobs'
    : table(jobs.map(jobRow), ['job', 'state', 'created (UTC)', 'progress'])

const resultRows = (result: JobResult): string[][] => {
  if (result.kind === 'training')
    return [
      ['runs', result.runs.map(({ id }) => shortId(id)).join(', ')],
      ['best', shortId(result.best)],
      ['took', seconds(result.seconds)],
    ]
  const { computed, reused, quarantined } = result
  return [
    result.kind === 'shard' ? ['shard', result.storeKey] : ['feature set', result.featureSetId],
    ['computed', String(computed)],
    ['reused', String(reused)],
    ['quarantined', String(quarantined)],
    ['took', seconds(result.seconds)],
  ]
}

/** Everything there is to know of one job. */
export const drawJob = (job: JobView): string => {
  const { error, result } = job
  const facts = table([
    ['job', job.id],
    ['state', job.state],
    ['created', secondOf(job.createdAt)],
    ['started', secondOf(job.startedAt)],
    ['finished', secondOf(job.finishedAt)],
    ['dataset', job.datasetId === null ? '-' : shortId(job.datasetId)],
    ['progress', describeProgress(job.progress)],
    ['failed tries', String(job.failedAttempts)],
    ...(result === null ? [] : resultRows(result)),
  ])
  if (error === null) return facts
  const details = error.details.map((detail) => `  - ${detail}`)
  return [facts, '', `${error.code}: ${error.message}`, ...details, `  ${error.remedy}`].join('\n')
}

/** What --detach prints. */
export const describeEnqueued = (enqueued: {
  readonly jobs: readonly string[]
  readonly featureSets: readonly string[]
  readonly runs?: readonly string[]
}): string => {
  const { jobs, featureSets, runs = [] } = enqueued
  const [first = ''] = jobs
  const rows = table([
    ...jobs.map((id) => ['job', id]),
    ...featureSets.map((id) => ['feature set', id]),
    ...runs.map((id) => ['run', id]),
  ])
  return `${rows}\n\nWait with: headstart jobs wait ${shortJobId(first)}`
}
