// Owns /v1/extractions and /v1/trainings: the same request is one job, however often it is sent.
import type { FastifyReply } from 'fastify'
import {
  type ExperimentInput,
  type ExtractionInput,
  experimentSchema,
  extractionSchema,
} from '../../experiment/schema.js'
import type { Caller } from '../auth.js'
import type { App, HttpContext } from '../context.js'
import { problemResponses } from '../problem.js'
import { extractionAcceptedSchema, trainingAcceptedSchema } from '../schemas.js'
import { NOWHERE } from '../sources.js'

const locate = (reply: FastifyReply, jobs: readonly string[]): FastifyReply => {
  const [first] = jobs
  return first === undefined ? reply : reply.header('location', `/v1/jobs/${first}`)
}

export const addEnqueueRoutes = (app: App, context: HttpContext): void => {
  const { service, sources, limits, once } = context

  /** With sources that mean nothing but what the caller may name. */
  const resolved = async <T extends ExtractionInput>(request: T, caller: Caller): Promise<T> => ({
    ...request,
    base: { ...request.base, from: await sources.base(request.base.from, caller) },
    dataset: await sources.dataset(request.dataset, caller),
  })

  app.route({
    method: 'POST',
    url: '/v1/extractions',
    handlerTimeout: limits.enqueueTimeoutMs,
    schema: {
      tags: ['extractions'],
      summary: 'Asks for the features of a dataset',
      body: extractionSchema,
      response: { 202: extractionAcceptedSchema, ...problemResponses },
    },
    handler: async ({ body, caller }, reply) => {
      const accepted = await once(['extractions', caller, body], async () => {
        const request = await resolved<ExtractionInput>(body, caller)
        const handle = await service.enqueueExtraction(request, { folder: NOWHERE })
        return { jobs: handle.ids, featureSets: handle.featureSetIds }
      })
      return locate(reply, accepted.jobs).code(202).send(accepted)
    },
  })

  app.route({
    method: 'POST',
    url: '/v1/trainings',
    handlerTimeout: limits.enqueueTimeoutMs,
    schema: {
      tags: ['trainings'],
      summary: 'Asks for heads, and for the features that they need',
      body: experimentSchema,
      response: { 202: trainingAcceptedSchema, ...problemResponses },
    },
    handler: async ({ body, caller }, reply) => {
      const accepted = await once(['trainings', caller, body], async () => {
        const experiment = await resolved<ExperimentInput>(body, caller)
        const handle = await service.enqueueTraining(experiment, { folder: NOWHERE })
        const { extraction, ids, runIds } = handle
        return {
          jobs: ids,
          extractions: extraction.ids,
          featureSets: extraction.featureSetIds,
          runs: runIds,
        }
      })
      return locate(reply, accepted.jobs).code(202).send(accepted)
    },
  })
}
