// Owns `<job>` on the command line: an id, the unique start of one, or of its hash. Refuses to guess.
import { HeadstartError } from '../errors.js'
import { JOB_KINDS, type JobKind, kindOfJobId } from '../queue/jobs.js'
import type { JobView, Service } from '../queue/types.js'
import { shortJobId } from './job-text.js'

/** Older jobs need their whole id. */
const SEARCHED_JOBS = 1000
const MAX_CANDIDATES = 10

const hashOf = (id: string): string => id.slice(id.indexOf('-') + 1)

/** Shards are looked for when they are named: there are many of them. */
const kindsToSearch = (reference: string): readonly (JobKind | undefined)[] => {
  const kind = JOB_KINDS.find((name) => reference.startsWith(`${name}-`))
  return kind === undefined ? [undefined, 'shard'] : [kind]
}

const search = async (service: Service, reference: string): Promise<readonly JobView[]> => {
  for (const kind of kindsToSearch(reference)) {
    const jobs = await service.listJobs({ kind, limit: SEARCHED_JOBS })
    const found = jobs.filter(
      ({ id }) => id.startsWith(reference) || hashOf(id).startsWith(reference),
    )
    if (found.length > 0) return found
  }
  return []
}

/** @throws NOT_FOUND; REQUEST_INVALID when several jobs begin so. */
export const findJob = async (service: Service, reference: string): Promise<JobView> => {
  if (kindOfJobId(reference) !== null) {
    const job = await service.getJob(reference)
    if (job !== null) return job
  }
  const found = reference === '' ? [] : await search(service, reference)
  const [job] = found
  const shown = JSON.stringify(reference.slice(0, 120))
  if (job === undefined)
    throw new HeadstartError(
      'NOT_FOUND',
      `no job has the id ${shown}; \`headstart jobs ls\` lists them`,
    )
  if (found.length > 1)
    throw new HeadstartError('REQUEST_INVALID', `${found.length} jobs begin with ${shown}`, {
      details: found.slice(0, MAX_CANDIDATES).map(({ id }) => shortJobId(id)),
    })
  return job
}

/** Each once, in the order of the references. */
export const findJobs = async (
  service: Service,
  references: readonly string[],
): Promise<readonly JobView[]> => {
  const jobs = new Map<string, JobView>()
  for (const reference of references) {
    const job = await findJob(service, reference)
    jobs.set(job.id, job)
  }
  return [...jobs.values()]
}
