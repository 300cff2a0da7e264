// Owns the service over HTTP as the command line uses it: the same interface as beside a queue.
import { z } from 'zod'
import { HeadstartError, messageOf } from '../errors.js'
import { sweepRecordSchema } from '../model/sweep-record.js'
import {
  extractionResultSchema,
  jobResultSchema,
  jobViewSchema,
  type Service,
  trainingResultSchema,
} from '../queue/types.js'
import { askJob, createRemoteHandle, jobPath } from './client-follow.js'
import { locateSources } from './client-sources.js'
import { createTransport } from './client-transport.js'
import {
  extractionAcceptedSchema,
  jobsSchema,
  listingOf,
  queuesSchema,
  runSummarySchema,
  shownRunSchema,
  trainingAcceptedSchema,
} from './schemas.js'

export interface HttpServiceOptions {
  /** `http(s)://host:port`. */
  readonly url: string
  /** The service's, or the owner's of a service on this machine: only that may name local files. */
  readonly token?: string | undefined
}

/**
 * The service at an address. Nothing is asked until it is used. Its errors are those that the service
 * had, and SERVICE_UNAVAILABLE when it does not answer.
 *
 * @throws CONFIG_INVALID for an address that is none.
 */
export const createHttpService = (options: HttpServiceOptions): Service => {
  const transport = createTransport(options)
  const { ask } = transport

  return {
    url: transport.url,

    enqueueExtraction: async (request, { folder, signal }) => {
      const body = await locateSources(transport, request, folder)
      const accepted = await ask(extractionAcceptedSchema, {
        method: 'POST',
        path: '/v1/extractions',
        body,
        signal,
      })
      const handle = createRemoteHandle(transport, accepted.jobs, extractionResultSchema)
      return { ...handle, featureSetIds: accepted.featureSets }
    },

    enqueueTraining: async (experiment, { folder, signal }) => {
      const body = await locateSources(transport, experiment, folder)
      const accepted = await ask(trainingAcceptedSchema, {
        method: 'POST',
        path: '/v1/trainings',
        body,
        signal,
      })
      const { jobs, extractions, featureSets, runs } = accepted
      const extraction = createRemoteHandle(transport, extractions, extractionResultSchema)
      return {
        ...createRemoteHandle(transport, jobs, trainingResultSchema),
        runIds: runs,
        extraction: { ...extraction, featureSetIds: featureSets },
      }
    },

    getJob: (id) => askJob(transport, id),

    listJobs: async (filter = {}) => {
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(filter))
        if (value !== undefined) query.set(name, String(value))
      return (await ask(jobsSchema, { path: `/v1/jobs?${query}` })).items
    },

    attach: (ids) => createRemoteHandle(transport, ids, jobResultSchema),

    cancelJob: (id) => ask(jobViewSchema, { method: 'POST', path: `${jobPath(id)}/cancel` }),

    removeJob: (id) => ask(z.undefined(), { method: 'DELETE', path: jobPath(id) }),

    getRun: async (reference) =>
      (await ask(shownRunSchema, { path: `/v1/runs/${encodeURIComponent(reference)}` })).run,

    getSweep: (id) => ask(sweepRecordSchema, { path: `/v1/sweeps/${encodeURIComponent(id)}` }),

    listRuns: () => ask(listingOf(runSummarySchema), { path: '/v1/runs' }),

    counts: async () => (await ask(queuesSchema, { path: '/v1/queues' })).items,

    ping: async () => {
      try {
        await ask(z.unknown(), { path: '/health/ready' })
      } catch (error) {
        throw new HeadstartError('QUEUE_UNAVAILABLE', messageOf(error), { cause: error })
      }
    },

    close: async () => transport.close(),
  }
}
