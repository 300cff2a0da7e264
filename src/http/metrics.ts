// Owns what Prometheus reads. Labels are bounded: routes are templates, never paths.
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { HeadstartError } from '../errors.js'
import type { QueueCounts, Service } from '../queue/types.js'
import { withinTime } from '../queue/within-time.js'

export interface Metrics {
  onRequest(
    labels: { readonly method: string; readonly route: string; readonly status: number },
    seconds: number,
  ): void
  onBatch(samples: number): void
  readonly contentType: string
  text(): Promise<string>
  close(): void
}

export interface MetricsSources {
  readonly service: Service
  readonly openModels: () => number
  readonly openStreams: () => number
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64]
/** A queue that does not answer must not keep the other figures back. */
const COUNTS_TIMEOUT_MS = 1_000

const STATES = ['waiting', 'active', 'completed', 'failed'] as const

export const createMetrics = ({ service, openModels, openStreams }: MetricsSources): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const requests = new Histogram({
    name: 'headstart_http_request_seconds',
    help: 'Time from a request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  })
  const batches = new Histogram({
    name: 'headstart_predict_batch_samples',
    help: 'Samples that were predicted together',
    buckets: BATCH_SIZES,
    registers,
  })
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  gauge('headstart_open_models', 'Models kept open to predict', openModels)
  gauge('headstart_event_streams', 'Open streams of job events', openStreams)

  const labelNames = ['kind', 'engine', 'state']
  const jobs = new Gauge({ name: 'headstart_jobs', help: 'Jobs by state', labelNames, registers })
  const workers = new Gauge({
    name: 'headstart_workers',
    help: 'Worker processes that take jobs',
    labelNames: ['kind', 'engine'],
    registers,
  })
  const setCounts = (counts: readonly QueueCounts[]): void => {
    for (const { kind, engine, workers: count, ...byState } of counts) {
      const labels = { kind, engine: engine ?? '' }
      for (const state of STATES) jobs.set({ ...labels, state }, byState[state])
      workers.set(labels, count)
    }
  }
  const up = new Gauge({ name: 'headstart_queue_up', help: '1 when the queue answered', registers })
  /** Before a scrape, not while it runs: figures are written down as soon as they are collected. */
  const askQueue = async (): Promise<void> => {
    const late = () => new HeadstartError('QUEUE_UNAVAILABLE', 'the queue does not answer')
    try {
      setCounts(await withinTime(service.counts(), COUNTS_TIMEOUT_MS, late))
      up.set(1)
    } catch {
      jobs.reset()
      workers.reset()
      up.set(0)
    }
  }

  return {
    onRequest: ({ method, route, status }, seconds) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    onBatch: (samples) => batches.observe(samples),
    contentType: registry.contentType,
    text: async () => {
      await askQueue()
      return registry.metrics()
    },
    close: () => registry.clear(),
  }
}
