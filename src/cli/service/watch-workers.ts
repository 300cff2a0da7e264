// Owns noticing that nobody takes the jobs that one waits for.
import type { JobKind } from '../../queue/jobs.js'
import type { Service } from '../../queue/types.js'

const LOOK_INTERVAL_MS = 3000
/** A worker that starts or restarts is missing for a moment. */
const LOOKS_BEFORE_NOTICE = 2

const noticeOf = (kind: JobKind): string => {
  const worker = kind === 'training' ? 'train' : 'extract'
  return `no worker takes ${kind} jobs: start one with \`headstart worker ${worker}\``
}

/**
 * Says once a kind that no worker takes jobs of that kind. Of shards, whose queues differ by engine,
 * the extraction itself says so.
 *
 * @param pending kinds of the jobs that have not ended.
 * @returns how to stop.
 */
export const watchForWorkers = (
  service: Service,
  pending: () => ReadonlySet<JobKind | null>,
  say: (message: string) => void,
): (() => void) => {
  const looks = new Map<JobKind, number>()
  const look = async (): Promise<void> => {
    const kinds = pending()
    for (const { kind, workers } of await service.counts()) {
      if (kind === 'shard' || !kinds.has(kind)) continue
      const missing = workers === 0 ? (looks.get(kind) ?? 0) + 1 : 0
      looks.set(kind, missing)
      if (missing === LOOKS_BEFORE_NOTICE) say(noticeOf(kind))
    }
  }
  // Who waits hears of a queue that is away from the waiting itself.
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_INTERVAL_MS)
  return () => clearInterval(timer)
}
