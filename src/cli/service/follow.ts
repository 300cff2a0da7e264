// Owns waiting for jobs that other processes work on: progress, why nothing moves, and Ctrl-C, which
// ends the waiting and not the jobs.
import { HeadstartError, isHeadstartError } from '../../errors.js'
import { kindOfJobId } from '../../queue/jobs.js'
import type { JobHandle, JobResult, JobView, Service } from '../../queue/types.js'
import type { Context } from '../context.js'
import { shortJobId } from '../job-text.js'
import { watchForWorkers } from './watch-workers.js'

const hasEnded = ({ state }: JobView): boolean => state !== 'waiting' && state !== 'active'

/** Draws what jobs look like now; jobs of several views work at the same time. */
const createDraw = ({ progress }: Context, ids: readonly string[]) => {
  const views = ids.filter((id) => kindOfJobId(id) === 'extraction')
  const ended = new Set<string>()
  const said = new Set<string>()
  /** Samples that had a row when the view was seen first: the rest is work, whoever does it. */
  const had = new Map<string, number>()
  const draw = (job: JobView): void => {
    if (hasEnded(job)) ended.add(job.id)
    const now = job.progress
    if (now?.kind === 'training' && now.phase === 'training') progress.onTraining(now)
    if (now?.kind !== 'extraction') return
    const view = views.indexOf(job.id)
    const { total, done } = now
    const before = had.get(job.id) ?? done
    had.set(job.id, before)
    // One bar: that of the first view that is not done.
    if (views.slice(0, view).every((id) => ended.has(id)))
      progress.events.onExtract?.({ total, done, computed: done - before }, view, views.length)
    if (now.waitingFor === null || said.has(now.waitingFor)) return
    said.add(now.waitingFor)
    progress.events.onNotice?.(`waiting for ${now.waitingFor}`)
  }
  const pendingKinds = () => new Set(ids.filter((id) => !ended.has(id)).map(kindOfJobId))
  return { draw, pendingKinds }
}

const stoppedWaiting = (ids: readonly string[]): HeadstartError => {
  const shown = ids.map(shortJobId)
  return new HeadstartError('INTERRUPTED', 'no longer waiting; the jobs go on', {
    details: [
      `look: headstart jobs show ${shown[0]}`,
      `wait again: headstart jobs wait ${shown[0]}`,
      `cancel: headstart jobs cancel ${shown.join(' ')}`,
    ],
  })
}

interface Followed {
  readonly handles: readonly JobHandle<JobResult>[]
  /** What Ctrl-C names, the most important job first. */
  readonly ids: readonly string[]
}

/**
 * Draws the progress of jobs while `wait` waits for them.
 *
 * @param wait gets the signal to stop waiting: when the command is interrupted, or one job failed.
 * @throws INTERRUPTED, saying how to look at the jobs and how to cancel them; what `wait` throws.
 */
export const followJobs = async <T>(
  context: Context,
  service: Service,
  { handles, ids }: Followed,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  context.explainInterruption('no longer waiting; the jobs go on')
  const { draw, pendingKinds } = createDraw(context, ids)
  const stops = handles.map((handle) => handle.on('progress', draw))
  const say = context.progress.events.onNotice
  stops.push(watchForWorkers(service, pendingKinds, (message) => say?.(message)))
  const waiting = new AbortController()
  try {
    return await wait(AbortSignal.any([context.signal, waiting.signal]))
  } catch (error) {
    throw isHeadstartError(error, 'INTERRUPTED') && context.signal.aborted
      ? stoppedWaiting(ids)
      : error
  } finally {
    waiting.abort()
    for (const stop of stops) stop()
  }
}
